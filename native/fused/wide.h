/* WIDE compiles a function for several generations of x86-64 and lets the loader pick the widest that runs.
 * That needs GCC's target_clones and glibc's ifunc; elsewhere, or with -DNARROW, there is one version. */
#include <stdint.h> /* defines __GLIBC__ where it is the C library */

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && !defined(NARROW)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))
