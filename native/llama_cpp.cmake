# Read by llama-cpp-python's build, through CMAKE_PROJECT_INCLUDE in requirements.txt.
#
# pocketsleep talks to libllama alone. What is left out here is linked into nothing that it loads:
# pictures and sound (libmtmd), and llama.cpp's command line helpers with their HTTP client
# (libllama-common), which together are two thirds of the compile time. libllama and ggml are built
# exactly as they are by default.
set(LLAVA_BUILD OFF)
set(LLAMA_BUILD_COMMON OFF)
