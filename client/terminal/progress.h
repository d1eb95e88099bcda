/* How far something is that takes long: one line on stderr, written over and over. Where stderr is no terminal
 * that moves its cursor, nothing is written. */
#ifndef TRIVIUM_PROGRESS_H
#define TRIVIUM_PROGRESS_H

void progress_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(void);      /* before anything else is written, and at the end */
void progress_leave(void);      /* what stands there stays, and its line ends */

#endif
