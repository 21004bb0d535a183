// What native/gpu is written in, on Metal. A group is a threadgroup; 32 threads are a simdgroup.
#define LOCAL threadgroup
#define PRIVATE
#define BARRIER threadgroup_barrier(mem_flags::mem_threadgroup)
#define SUM32(x) x = simd_sum(x)
#define HERE const int tid = thread_position_in_threadgroup.x, gx = threadgroup_position_in_grid.x, gy = threadgroup_position_in_grid.y
