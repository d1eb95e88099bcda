#include "shared_rows.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/limits.h"

enum {
    LINE_BYTES = 64,
    SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW, /* a cut file would kill its reader (SIGBUS) */
    SEALS = F_SEAL_SEAL | SIZE_SEALS | F_SEAL_FUTURE_WRITE,
};

static const char MAGIC[8] = {'T', 'R', 'I', 'V', 'R', 'O', 'W', 'S'};

typedef struct head {
    _Alignas(LINE_BYTES) char magic[sizeof MAGIC];
    uint64_t incarnation;
    uint32_t n_rows, n_vocab;
} head;

typedef struct shared_row {
    _Alignas(LINE_BYTES) _Atomic uint64_t generation;
    _Alignas(LINE_BYTES) float logits[];
} shared_row;

_Static_assert(sizeof(head) == LINE_BYTES && offsetof(shared_row, logits) == LINE_BYTES,
               "the layout that the header tells");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a generation needs no lock, which none would share");

static size_t row_stride(uint32_t n_vocab) {
    size_t row_bytes = (size_t)n_vocab * sizeof(float);
    return LINE_BYTES + (row_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static size_t file_bytes(uint32_t n_rows, uint32_t n_vocab) {
    return sizeof(head) + n_rows * row_stride(n_vocab);
}

static shared_row *row_at(const head *file, uint32_t n_vocab, uint32_t index) {
    return (shared_row *)((char *)file + sizeof *file + index * row_stride(n_vocab));
}

/* ---- the maker's side ---- */

struct shared_rows {
    head *file;
    size_t n_bytes;
    uint32_t n_rows, n_vocab;
    int fd;
    uint32_t free_rows[SHARED_ROWS_MAX], n_free;
};

/* The seal against writing comes after the mapping, which stays writable. */
static status make_file(shared_rows *r, failure *f) {
    r->fd = memfd_create("trivium-rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    r->n_bytes = file_bytes(r->n_rows, r->n_vocab);
    if (r->fd < 0 || ftruncate(r->fd, (off_t)r->n_bytes) != 0)
        return fail(f, STATUS_IO, "cannot make shared memory: %s", strerror(errno));
    void *memory = mmap(NULL, r->n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (memory == MAP_FAILED)
        return fail(f, STATUS_NO_MEMORY, "cannot map shared memory: %s", strerror(errno));
    r->file = memory;
    if (fcntl(r->fd, F_ADD_SEALS, SEALS) != 0)
        return fail(f, STATUS_IO, "cannot seal shared memory: %s", strerror(errno));
    return STATUS_OK;
}

status shared_rows_new(shared_rows **out, uint64_t incarnation, uint32_t n_rows, uint32_t n_vocab,
                       failure *f) {
    assert(n_rows >= 1 && n_rows <= SHARED_ROWS_MAX && n_vocab >= 1 && n_vocab <= N_VOCAB_MAX);
    *out = NULL;
    shared_rows *r = calloc(1, sizeof *r);
    if (!r) return fail(f, STATUS_NO_MEMORY, "no memory for shared rows");
    *r = (shared_rows){.n_rows = n_rows, .n_vocab = n_vocab, .fd = -1};
    if (make_file(r, f) != STATUS_OK) {
        shared_rows_free(&r);
        return f->code;
    }
    *r->file = (head){.incarnation = incarnation, .n_rows = n_rows, .n_vocab = n_vocab};
    memcpy(r->file->magic, MAGIC, sizeof MAGIC);
    for (uint32_t index = n_rows; index-- > 0;) r->free_rows[r->n_free++] = index;
    *out = r;
    return STATUS_OK;
}

void shared_rows_free(shared_rows **rows) {
    shared_rows *r = *rows;
    *rows = NULL;
    if (!r) return;
    if (r->file) munmap(r->file, r->n_bytes);
    if (r->fd >= 0) close(r->fd);
    free(r);
}

int shared_rows_fd(const shared_rows *r) {
    return r->fd;
}

bool shared_rows_take(shared_rows *r, uint32_t *index) {
    if (r->n_free == 0) return false;
    *index = r->free_rows[--r->n_free]; /* the one given back last: caches still know it */
    return true;
}

void shared_rows_give(shared_rows *r, uint32_t index) {
    assert(index < r->n_rows && r->n_free < r->n_rows);
    r->free_rows[r->n_free++] = index;
}

float *shared_rows_at(shared_rows *r, uint32_t index) {
    assert(index < r->n_rows);
    return row_at(r->file, r->n_vocab, index)->logits;
}

/* The fence keeps what is written into the row after the new generation: a reader that sees any of
 * it sees the generation, too. */
uint64_t shared_rows_renew(shared_rows *r, uint32_t index) {
    assert(index < r->n_rows);
    shared_row *row = row_at(r->file, r->n_vocab, index);
    uint64_t next = atomic_load_explicit(&row->generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&row->generation, next, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    return next;
}

/* ---- the reader's side ---- */

struct shared_view {
    const head *file;
    size_t n_bytes;
    uint32_t n_rows, n_vocab;
};

/* Only a regular file of ours is opened at all: anything else might act on being opened. */
static status open_offered(int *out, size_t *n_bytes, const char *path, failure *f) {
    struct stat info;
    if (stat(path, &info) != 0)
        return fail(f, STATUS_NOT_FOUND, "%s cannot be seen: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_uid != geteuid())
        return fail(f, STATUS_NOT_FOUND, "%s is no file of ours", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return fail(f, STATUS_NOT_FOUND, "%s cannot be opened: %s", path, strerror(errno));
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS || fstat(fd, &info) != 0 ||
        info.st_size < (off_t)sizeof(head)) {
        close(fd);
        return fail(f, STATUS_NOT_FOUND, "%s is no sealed memory with rows", path);
    }
    *out = fd;
    *n_bytes = (size_t)info.st_size;
    return STATUS_OK;
}

/* `seen` is a copy of the file's head: the maker could change the one in the file. */
static bool is_whole(const head *seen, size_t n_bytes) {
    return memcmp(seen->magic, MAGIC, sizeof MAGIC) == 0 && seen->n_rows >= 1 &&
           seen->n_rows <= SHARED_ROWS_MAX && seen->n_vocab >= 1 &&
           seen->n_vocab <= N_VOCAB_MAX && file_bytes(seen->n_rows, seen->n_vocab) == n_bytes;
}

status shared_view_open(shared_view **out, int32_t pid, int32_t fd, uint64_t incarnation,
                        failure *f) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, (int)fd);
    *out = NULL;
    int opened = -1;
    size_t n_bytes = 0;
    if (open_offered(&opened, &n_bytes, path, f) != STATUS_OK) return f->code;
    const head *file = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, opened, 0);
    close(opened);
    if (file == MAP_FAILED)
        return fail(f, STATUS_NOT_FOUND, "%s cannot be mapped: %s", path, strerror(errno));
    head seen = *file;
    bool theirs = is_whole(&seen, n_bytes) && seen.incarnation == incarnation;
    shared_view *v = theirs ? malloc(sizeof *v) : NULL;
    if (!v) {
        munmap((void *)file, n_bytes);
        return fail(f, STATUS_NOT_FOUND,
                    theirs ? "no memory to map %s" : "%s holds no rows of this modeld", path);
    }
    *v = (shared_view){file, n_bytes, seen.n_rows, seen.n_vocab};
    *out = v;
    return STATUS_OK;
}

void shared_view_close(shared_view **view) {
    shared_view *v = *view;
    *view = NULL;
    if (!v) return;
    munmap((void *)v->file, v->n_bytes);
    free(v);
}

uint32_t shared_view_n_vocab(const shared_view *v) {
    return v->n_vocab;
}

const float *shared_view_row(const shared_view *v, uint32_t index, uint64_t generation) {
    if (index >= v->n_rows) return NULL;
    const shared_row *row = row_at(v->file, v->n_vocab, index);
    bool current = atomic_load_explicit(&row->generation, memory_order_acquire) == generation;
    return current ? row->logits : NULL;
}

bool shared_view_holds(const shared_view *v, uint32_t index, uint64_t generation) {
    assert(index < v->n_rows);
    atomic_thread_fence(memory_order_acquire);
    const shared_row *row = row_at(v->file, v->n_vocab, index);
    return atomic_load_explicit(&row->generation, memory_order_relaxed) == generation;
}
