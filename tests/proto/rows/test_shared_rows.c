/* shared_rows.h: rows that two processes see; what is not such rows is not mapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/rows/shared_rows.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_ROWS = 2, N_VOCAB = 37, LINE = 64 };
static const uint64_t INCARNATION = UINT64_C(0x1234567890abcdef);

static int setup(void **state) {
    failure f;
    return shared_rows_new((shared_rows **)state, INCARNATION, N_ROWS, N_VOCAB, &f) != STATUS_OK;
}

static int teardown(void **state) {
    shared_rows_free((shared_rows **)state);
    return 0;
}

static shared_view *view_of(const shared_rows *r) {
    shared_view *v = NULL;
    failure f;
    assert_int_equal(shared_view_open(&v, getpid(), shared_rows_fd(r), INCARNATION, &f), STATUS_OK);
    return v;
}

static void assert_refused(int pid, int fd, uint64_t incarnation, const char *why) {
    shared_view *v = NULL;
    failure f;
    assert_int_equal(shared_view_open(&v, pid, fd, incarnation, &f), STATUS_NOT_FOUND);
    assert_null(v);
    assert_non_null(strstr(f.message, why));
}

static void test_what_is_written_is_read_where_it_lies(void **state) {
    shared_rows *r = *state;
    shared_view *v = view_of(r);
    assert_int_equal(shared_view_n_vocab(v), N_VOCAB);
    for (uint32_t index = 0; index < N_ROWS; index++) {
        uint64_t generation = shared_rows_renew(r, index);
        float *row = shared_rows_at(r, index);
        assert_int_equal((uintptr_t)row % LINE, 0);
        for (int i = 0; i < N_VOCAB; i++) row[i] = (float)(i * 10 + (int)index);
        const float *seen = shared_view_row(v, index, generation);
        assert_non_null(seen);
        assert_memory_equal(seen, row, N_VOCAB * sizeof *row);
        assert_true(shared_view_holds(v, index, generation));
    }
    assert_true(shared_rows_at(r, 0)[N_VOCAB - 1] == (N_VOCAB - 1) * 10); /* not the other row's */
    shared_view_close(&v);
}

static void test_a_row_written_anew_is_not_the_one_that_was_meant(void **state) {
    shared_rows *r = *state;
    shared_view *v = view_of(r);
    uint64_t first = shared_rows_renew(r, 1);
    assert_non_null(shared_view_row(v, 1, first));
    uint64_t second = shared_rows_renew(r, 1);
    assert_int_not_equal(second, first);
    assert_false(shared_view_holds(v, 1, first)); /* what was read of it in between is dropped */
    assert_null(shared_view_row(v, 1, first));
    assert_non_null(shared_view_row(v, 1, second));
    assert_true(shared_view_holds(v, 1, second));
    shared_view_close(&v);
}

static void test_there_are_so_many_rows_and_no_more(void **state) {
    shared_rows *r = *state;
    shared_view *v = view_of(r);
    assert_null(shared_view_row(v, N_ROWS, 0));
    assert_null(shared_view_row(v, UINT32_MAX, 0));
    uint32_t a, b, c;
    assert_true(shared_rows_take(r, &a) && shared_rows_take(r, &b));
    assert_true(a < N_ROWS && b < N_ROWS && a != b);
    assert_false(shared_rows_take(r, &c));
    shared_rows_give(r, a);
    assert_true(shared_rows_take(r, &c));
    assert_int_equal(c, a);
    shared_view_close(&v);
}

static void test_another_process_sees_it_and_keeps_it(void **state) {
    shared_rows *r = *state;
    int gone[2];
    assert_int_equal(pipe(gone), 0);
    uint64_t generation = shared_rows_renew(r, 0);
    shared_rows_at(r, 0)[7] = 1.5f;
    int maker = getpid(), fd = shared_rows_fd(r);
    pid_t reader = fork();
    if (reader == 0) {
        shared_view *v = NULL;
        failure f;
        char byte;
        bool mapped = shared_view_open(&v, maker, fd, INCARNATION, &f) == STATUS_OK;
        bool told = write(gone[1], "m", 1) == 1 && close(gone[1]) == 0;
        usleep(20000); /* the maker frees it meanwhile */
        const float *row = mapped ? shared_view_row(v, 0, generation) : NULL;
        _exit(told && row && row[7] == 1.5f && read(gone[0], &byte, 0) == 0 ? 0 : 1);
    }
    char byte;
    assert_int_equal(read(gone[0], &byte, 1), 1);
    shared_rows_free((shared_rows **)state);
    int how;
    assert_int_equal(waitpid(reader, &how, 0), reader);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    close(gone[0]);
    close(gone[1]);
}

static void test_nobody_can_cut_it_or_write_to_it(void **state) {
    int fd = shared_rows_fd(*state);
    assert_int_not_equal(ftruncate(fd, 0), 0);
    assert_int_not_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
}

static void test_what_is_not_there_or_no_file_is_refused(void **state) {
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_refused(getpid(), pipes[0], INCARNATION, "no file of ours");
    assert_refused(getpid(), 1 << 20, INCARNATION, "cannot be seen");
    assert_refused(0, 0, INCARNATION, "cannot be seen");
    assert_refused(-1, -1, INCARNATION, "cannot be seen");
    assert_refused(getpid(), shared_rows_fd(*state), INCARNATION + 1, "no rows of this modeld");
    close(pipes[0]);
    close(pipes[1]);
}

/* A copy of the rows in a file of its own, `n_bytes` long, with these bytes at `offset`. */
static int copy_of(const shared_rows *r, int seals, off_t n_bytes, off_t offset, const void *bytes,
                   size_t n) {
    int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char line[LINE];
    assert_int_equal(pread(shared_rows_fd(r), line, LINE, 0), LINE);
    assert_int_equal(pwrite(fd, line, LINE, 0), LINE);
    if (n > 0) assert_int_equal(pwrite(fd, bytes, n, offset), n);
    assert_int_equal(ftruncate(fd, n_bytes), 0);
    if (seals) assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void test_a_file_that_is_not_sealed_or_not_as_long_as_it_says_is_refused(void **state) {
    const shared_rows *r = *state;
    enum { SEALED = F_SEAL_SHRINK | F_SEAL_GROW };
    const off_t whole = lseek(shared_rows_fd(r), 0, SEEK_END);
    const uint32_t none = 0, many = SHARED_ROWS_MAX + 1, wide = UINT32_MAX;
    const struct {
        int seals;
        off_t n_bytes, offset;
        const void *bytes;
        size_t n;
        const char *why; /* NULL: it is fine */
    } cases[] = {
        {SEALED, whole, 0, NULL, 0, NULL},
        {0, whole, 0, NULL, 0, "sealed"},
        {F_SEAL_GROW, whole, 0, NULL, 0, "sealed"},
        {SEALED, whole - LINE, 0, NULL, 0, "no rows"},
        {SEALED, whole + 1, 0, NULL, 0, "no rows"},
        {SEALED, LINE - 1, 0, NULL, 0, "no sealed memory"},
        {SEALED, 0, 0, NULL, 0, "no sealed memory"},
        {SEALED, whole, 0, "x", 1, "no rows"},
        {SEALED, whole, 16, &none, sizeof none, "no rows"},
        {SEALED, whole, 16, &many, sizeof many, "no rows"},
        {SEALED, whole, 20, &none, sizeof none, "no rows"},
        {SEALED, whole, 20, &wide, sizeof wide, "no rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = copy_of(r, cases[i].seals, cases[i].n_bytes, cases[i].offset, cases[i].bytes,
                         cases[i].n);
        if (cases[i].why) {
            assert_refused(getpid(), fd, INCARNATION, cases[i].why);
        } else {
            shared_view *v = NULL;
            failure f;
            assert_int_equal(shared_view_open(&v, getpid(), fd, INCARNATION, &f), STATUS_OK);
            shared_view_close(&v);
        }
        close(fd);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_read_where_it_lies),
        TEST(test_a_row_written_anew_is_not_the_one_that_was_meant),
        TEST(test_there_are_so_many_rows_and_no_more),
        TEST(test_another_process_sees_it_and_keeps_it),
        TEST(test_nobody_can_cut_it_or_write_to_it),
        TEST(test_what_is_not_there_or_no_file_is_refused),
        TEST(test_a_file_that_is_not_sealed_or_not_as_long_as_it_says_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
