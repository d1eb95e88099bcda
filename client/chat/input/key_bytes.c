#include "key_bytes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/buffer.h"
#include "proto/base/clock.h"

enum { ESCAPE_KEY = 27, READ_BYTES = 4096, SILENCE_MS = 1000 };

struct key_bytes {
    loop *loop;
    struct termios keys;
    paste *paste;
    uint64_t pasted_ms;         /* when something was pasted last */
    buffer input;               /* read, and not taken yet */
};

key_bytes *key_bytes_new(loop *l, const struct termios *keys, paste *p) {
    key_bytes *k = calloc(1, sizeof *k);
    if (k) *k = (key_bytes){.loop = l, .keys = *keys, .paste = p};
    return k;
}

void key_bytes_free(key_bytes **k) {
    if (!*k) return;
    buffer_clear(&(*k)->input);
    free(*k);
    *k = NULL;
}

static int happened(short events) {
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&item, 1, 0) == 1 ? item.revents & events : 0;
}

bool key_bytes_terminal_is_lost(void) {
    return happened(POLLHUP | POLLERR | POLLNVAL);
}

bool key_bytes_wait(const key_bytes *k) {
    return k->input.n_bytes > 0;
}

/* Up to n more of them, if there are: what was there may be gone after a Ctrl-Z. False: KEY_BYTES_LOST. */
static bool read_more(key_bytes *k, size_t n) {
    char bytes[READ_BYTES];
    ssize_t n_read = read(STDIN_FILENO, bytes, n < sizeof bytes ? n : sizeof bytes);
    if (n_read > 0) return buffer_add(&k->input, bytes, (size_t)n_read) == STATUS_OK;
    return n_read == 0 ? !key_bytes_terminal_is_lost() : errno == EINTR || errno == EAGAIN;
}

static bool is_signal(const key_bytes *k, char byte) {
    static const struct { int key, number; } keys[] = {{VINTR, SIGINT}, {VSUSP, SIGTSTP}, {VQUIT, SIGQUIT}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const cc_t key = k->keys.c_cc[keys[i].key];
        if (key != _POSIX_VDISABLE && (cc_t)byte == key) return kill(0, keys[i].number) == 0;
    }
    return false;
}

static void begin_paste(key_bytes *k, size_t n_mark) {
    buffer_drop(&k->input, n_mark);
    k->pasted_ms = clock_ms();
    paste_begin(k->paste);
}

key_bytes_sign key_bytes_look(key_bytes *k) {
    const size_t n = k->input.n_bytes;
    paste_sign sign = n > 0 ? paste_sign_of(k->input.bytes, n) : PASTE_PERHAPS;
    if (sign == PASTE_PERHAPS) {
        if (!read_more(k, 1)) return KEY_BYTES_LOST;
        if (k->input.n_bytes == n) return KEY_BYTES_NONE;
        if (is_signal(k, k->input.bytes[n])) {
            buffer_drop(&k->input, n + 1);
            return KEY_BYTES_NONE;
        }
        sign = paste_sign_of(k->input.bytes, n + 1);
    }
    if (sign == PASTE_BEGINS) begin_paste(k, PASTE_BEGIN_BYTES);
    return sign == PASTE_BEGINS ? KEY_BYTES_PASTE : sign == PASTE_NOT ? KEY_BYTES_KEY : KEY_BYTES_NONE;
}

/* After an escape in the middle of a key: does a paste begin with it? */
static void look_for_paste(key_bytes *k) {
    for (;;) {
        char mark[PASTE_BEGIN_BYTES] = {ESCAPE_KEY};
        const size_t n_rest = PASTE_BEGIN_BYTES - 1, n_read = k->input.n_bytes;
        const size_t n = n_read < n_rest ? n_read : n_rest;
        if (n > 0) memcpy(mark + 1, k->input.bytes, n);
        paste_sign sign = paste_sign_of(mark, n + 1);
        if (sign == PASTE_BEGINS) begin_paste(k, n_rest);
        if (sign != PASTE_PERHAPS) return;
        if (!happened(POLLIN) || !read_more(k, 1) || k->input.n_bytes == n_read) return;
    }
}

bool key_bytes_next(key_bytes *k, char *byte) {
    for (;;) {
        if (paste_is_open(k->paste)) return false;
        if (k->input.n_bytes == 0 && (!loop_wait_readable(k->loop, STDIN_FILENO) || !read_more(k, 1)))
            return false;
        if (!loop_wait_writable(k->loop, STDOUT_FILENO)) return false;
        if (k->input.n_bytes == 0) continue;
        *byte = *k->input.bytes;
        buffer_drop(&k->input, 1);
        if (*byte == ESCAPE_KEY) look_for_paste(k);
        if (!is_signal(k, *byte)) return true;
    }
}

bool key_bytes_read_paste(key_bytes *k, status *st) {
    const bool was_silent = clock_ms() - k->pasted_ms >= SILENCE_MS;
    const size_t n_before = k->input.n_bytes;
    *st = STATUS_OK;
    if (n_before == 0 && !read_more(k, READ_BYTES)) return false;
    if (n_before == 0 && k->input.n_bytes == 1 && was_silent && !paste_is_ending(k->paste)) {
        paste_end(k->paste);
    } else if (k->input.n_bytes > 0) {
        size_t n_taken;
        k->pasted_ms = clock_ms();
        *st = paste_add(k->paste, k->input.bytes, k->input.n_bytes, &n_taken);
        buffer_drop(&k->input, n_taken);
    }
    return true;
}
