// What native/gpu is written in, on CUDA. A group is a block; 32 threads are a warp.
#define LOCAL __shared__
#define PRIVATE
#define BARRIER __syncthreads()
#define SUM32(x) for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(0xffffffffu, x, other)
#define HERE const int tid = threadIdx.x, gx = blockIdx.x, gy = blockIdx.y
