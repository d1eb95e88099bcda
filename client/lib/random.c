#include "random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

status random_bytes(void *out, size_t n_bytes, failure *f) {
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n = getrandom((char *)out + done, n_bytes - done, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            return fail(f, STATUS_IO, "the kernel gives no random bytes: %s", strerror(errno));
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}
