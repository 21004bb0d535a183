/* Threads that share out independent pieces of work. */
#include <stdint.h>

/* Call `work(with, i)` for i in [0, pieces), each once, on as many threads as ps_threads last said (1 before it did).
 * Returns when all are done. Where another thread is in here already, its caller does all of its own pieces. */
void ps_each(void (*work)(void * with, int64_t piece), void * with, int64_t pieces);

/* Threads that take part from now on, the caller among them. Those beyond stay, and take nothing. */
void ps_threads(int64_t wanted);
