/* libFuzzer: any bytes as a file of keys. It has keys that ZeroMQ takes, or is refused with a sentence that tells nothing of
 * what is in it but a right that is none. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/net/keys/key_pair.h"
#include "tests/fuzz/input/target.h"

static void must(int ok) {
    if (!ok) abort();
}

static void is_key(const char *text) {
    uint8_t bytes[32];
    must(strlen(text) == KEY_TEXT_BYTES - 1 && zmq_z85_decode(bytes, text) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    char path[32];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, bytes, n_bytes) == (ssize_t)n_bytes && fchmod(fd, 0600) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    key_pair pair;
    failure f = {0};
    if (key_pair_read_public(&pair, path, &f) == STATUS_OK) is_key(pair.public_key);
    else must(strlen(f.message) > strlen(path) + 2);
    if (key_pair_read_secret(&pair, path, NULL, &f) == STATUS_OK) {
        is_key(pair.public_key);
        is_key(pair.secret_key);
    }
    close(fd);
    return 0;
}
