/* Sets of keys whose making ends too soon, or which several processes make at once: whoever does the same again has all of
 * it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/process/lockfile.h"
#include "proto/net/keys/key_set.h"
#include "tests/support/keys/set_folder.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static const key_host host = {.name = "b", .rights = {.is_operator = true}};

/* ---- a process that makes a set, and where it ends ---- */

typedef enum end_kind { AFTER_A_FILE, WITHIN_THE_NEXT, ENDS } end_kind;

typedef struct sudden_end {
    end_kind kind;
    size_t n_files;             /* that are done before it comes, */
    const char *part;           /* of those whose paths have this in them */
} sudden_end;

/* The kernel ends whoever writes past the limit of a file's size. */
static void end_soon(void *context, key_change change, const char *path, const char *part) {
    sudden_end *end = context;
    (void)change, (void)part;
    if (!strstr(path, end->part) || end->n_files-- > 1) return;
    if (end->kind == AFTER_A_FILE) raise(SIGKILL);
    const struct rlimit little = {.rlim_cur = 60, .rlim_max = 60}, none = {.rlim_cur = 0, .rlim_max = 0};
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &little);
}

static void count(void *context, key_change change, const char *path, const char *part) {
    (void)change, (void)path, (void)part;
    ++*(int *)context;
}

typedef status making(const key_set *set);

static status make_host(const key_set *set) {
    failure f;
    key_kept unused;
    return key_set_host(set, &host, &unused, &f);
}

static status revoke_host(const key_set *set) {
    failure f;
    bool unused[KEY_ROLES];
    return key_set_revoke(set, host.name, unused, &f);
}

static int wait_for(pid_t child) {
    int how;
    assert_true(child > 0 && waitpid(child, &how, 0) == child);
    return how;
}

/* False: it was done before its end came. */
static bool ends_suddenly(making *make, sudden_end end) {
    pid_t child = fork();
    if (child == 0) {
        const key_set set = {.folder = set_folder, .told = end_soon, .context = &end};
        _exit(make(&set) == STATUS_OK ? 0 : 1);
    }
    int how = wait_for(child);
    if (WIFEXITED(how)) assert_int_equal(WEXITSTATUS(how), 0);
    return WIFSIGNALED(how);
}

static void assert_whole(void) {
    static const char *const roles[] = {"tokenizerd", "modeld", "samplerd", "client"};
    static const char *const links[] = {"", "tokens", "logits", "text"};
    char command[160], one[64], other[64];
    for (size_t i = 0; i < 2; i++) {
        snprintf(one, sizeof one, "server/%s.key_secret", roles[i]);
        snprintf(other, sizeof other, "server/%s.key", roles[i]);
        assert_one_key(one, other);
        snprintf(other, sizeof other, "hosts/b/server/%s.key_secret", roles[i]);
        assert_one_key(one, other);
        snprintf(other, sizeof other, "hosts/b/server/%s.key", roles[i]);
        assert_one_key(one, other);
    }
    for (size_t i = 1; i < 4; i++) {
        snprintf(one, sizeof one, "hosts/b/own/%s.key_secret", roles[i]);
        snprintf(other, sizeof other, "hosts/b/own/%s.key", roles[i]);
        assert_one_key(one, other);
        snprintf(other, sizeof other, "authorised/%s/b.key", links[i]);
        assert_one_key(one, other);
        assert_true(pair_of(other, false).rights.is_operator);
        snprintf(other, sizeof other, "hosts/b/authorised/%s/b.key", links[i]);
        assert_one_key(one, other);
    }
    snprintf(command, sizeof command, "test -z \"$(find '%s' -name '.*')\"", set_folder);
    assert_int_equal(system(command), 0);       /* nothing that was not whole */
}

/* ---- its end ---- */

static void wherever_a_making_ends_the_next_one_completes_it(void **state) {
    const key_set set = {.folder = set_folder};
    for (end_kind kind = 0; kind < ENDS; kind++)
        for (size_t n_files = 1; ends_suddenly(make_host, (sudden_end){kind, n_files, ""}); n_files++) {
            assert_int_equal(make_host(&set), STATUS_OK);
            assert_whole();
            assert_int_equal(set_folder_end(state), 0);
            assert_int_equal(set_folder_begin(state), 0);
        }
}

/* Those of the set that are made in between do not take a part for whole that is not. */
static void a_set_that_is_made_in_between_completes_no_part(void **state) {
    (void)state;
    failure f;
    const key_set set = {.folder = set_folder};
    assert_true(ends_suddenly(make_host, (sudden_end){AFTER_A_FILE, 1, "/hosts/b/own/"}));
    assert_int_equal(key_set_make(&set, &f), STATUS_OK);
    assert_false(is_there("hosts/b/server/tokenizerd.key"));
    assert_int_equal(make_host(&set), STATUS_OK);
    assert_whole();
}

static void wherever_a_revocation_ends_the_next_one_completes_it(void **state) {
    const key_set set = {.folder = set_folder};
    assert_int_equal(make_host(&set), STATUS_OK);
    for (size_t n_files = 1; ends_suddenly(revoke_host, (sudden_end){AFTER_A_FILE, n_files, ""}); n_files++) {
        status st = revoke_host(&set);
        assert_true(st == STATUS_OK || st == STATUS_NOT_FOUND);
        assert_false(is_there("hosts/b") || is_there("authorised/text/b.key") || is_there("authorised/logits/b.key"));
        assert_int_equal(set_folder_end(state), 0);
        assert_int_equal(set_folder_begin(state), 0);
        assert_int_equal(make_host(&set), STATUS_OK);
    }
}

static void a_revocation_says_again_which_server_keys_are_known(void **state) {
    (void)state;
    failure f;
    bool servers[KEY_ROLES];
    const key_set set = {.folder = set_folder};
    assert_int_equal(make_host(&set), STATUS_OK);
    assert_true(ends_suddenly(revoke_host, (sudden_end){AFTER_A_FILE, 1, "/hosts/b/authorised/tokens/"}));
    assert_int_equal(key_set_revoke(&set, host.name, servers, &f), STATUS_OK);
    assert_true(servers[ROLE_TOKENIZERD] && servers[ROLE_MODELD]);
}

static void what_was_never_whole_goes_with_its_part(void **state) {
    (void)state;
    const key_set set = {.folder = set_folder};
    assert_true(ends_suddenly(make_host, (sudden_end){WITHIN_THE_NEXT, 1, "/hosts/b/own/client.key_secret"}));
    assert_true(is_there("hosts/b/own/.client.key.tmp"));
    assert_int_equal(revoke_host(&set), STATUS_OK);
    assert_false(is_there("hosts/b"));
}

/* ---- no room ---- */

static void a_lock_that_cannot_be_written_leaves_nothing(void **state) {
    (void)state;
    failure f;
    struct rlimit limit;
    const key_set set = {.folder = set_folder};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    status st = key_set_make(&set, &f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(st, STATUS_IO);
    assert_false(is_there(".lock") || is_there("server"));
}

/* ---- several at once ---- */

/* Whose turn it is not is told so, and comes again. Returns how many files it made. */
static int make_in_turn(void) {
    failure f;
    int n_made = 0;
    const key_set set = {.folder = set_folder, .told = count, .context = &n_made};
    status st;
    do st = key_set_make(&set, &f);
    while (st == STATUS_BUSY);
    return st == STATUS_OK ? n_made : -1;
}

static void several_at_once_make_one_set(void **state) {
    enum { ROUNDS = 10, MAKERS = 4, FILES = 2 * 2 + 3 * 2 + 3 };
    for (int round = 0; round < ROUNDS; round++) {
        pid_t makers[MAKERS];
        int n_made = 0;
        assert_int_equal(rmdir(set_folder), 0); /* the folder itself is made, too */
        for (size_t i = 0; i < MAKERS; i++)
            if ((makers[i] = fork()) == 0) _exit((uint8_t)make_in_turn());
        for (size_t i = 0; i < MAKERS; i++) {
            int how = wait_for(makers[i]);
            assert_true(WIFEXITED(how));
            n_made += WEXITSTATUS(how);
        }
        assert_int_equal(n_made, FILES);
        assert_false(is_there(".lock"));
        assert_int_equal(set_folder_end(state), 0);
        assert_int_equal(set_folder_begin(state), 0);
    }
}

/* Half of a set does not look like one yet. */
static void one_that_is_being_made_is_not_taken_for_other_things(void **state) {
    (void)state;
    failure f;
    int lock = -1;
    const key_set set = {.folder = set_folder};
    assert_int_equal(lockfile_take(&lock, at(".lock"), &f), STATUS_OK);
    assert_int_equal(mkdir(at("own"), 0700), 0);
    assert_int_equal(key_set_make(&set, &f), STATUS_BUSY);
    lockfile_give(&lock, at(".lock"));
}

int main(void) {
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_folder_begin, set_folder_end)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(wherever_a_making_ends_the_next_one_completes_it),
        IN_A_FOLDER(a_set_that_is_made_in_between_completes_no_part),
        IN_A_FOLDER(wherever_a_revocation_ends_the_next_one_completes_it),
        IN_A_FOLDER(a_revocation_says_again_which_server_keys_are_known),
        IN_A_FOLDER(what_was_never_whole_goes_with_its_part),
        IN_A_FOLDER(a_lock_that_cannot_be_written_leaves_nothing),
        IN_A_FOLDER(several_at_once_make_one_set),
        IN_A_FOLDER(one_that_is_being_made_is_not_taken_for_other_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
