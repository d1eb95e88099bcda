/* NAME.pid in the runtime folder: `trivium up` writes it for a daemon that it started, and begins it again while it is there. */
#ifndef TRIVIUM_PID_FILES_H
#define TRIVIUM_PID_FILES_H

/* Remove those that tell of this process: it is not to be started again. */
void pid_files_forget_own(void);

#endif
