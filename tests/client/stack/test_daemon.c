/* Daemons as processes: started detached, found again, told apart from strangers, ended. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/stack/daemon.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char folder[] = "/tmp/trivium-test-XXXXXX";
static failure f;

static void start(const char *name, const char *script, daemon_process *out) {
    const char *const argv[] = {"sh", "-c", script, NULL};
    *out = (daemon_process){.model = "a model", .file = "1:2:3:4.5"};
    snprintf(out->name, sizeof out->name, "%s", name);
    assert_int_equal(daemon_start(folder, argv, out, &f), STATUS_OK);
}

static bool is_there(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void started_found_and_ended(void **state) {
    (void)state;
    daemon_process p, found;
    start("sleeper", "exec sleep 1000", &p);
    assert_true(daemon_alive(&p));
    assert_true(daemon_find(folder, "sleeper", &found));
    assert_int_equal(found.pid, p.pid);
    assert_string_equal(found.model, "a model");
    assert_string_equal(found.file, "1:2:3:4.5");
    assert_int_equal(getsid(p.pid), p.pid);
    daemon_process list[DAEMONS_MAX];
    assert_int_equal(daemons_list(folder, list), 1);
    daemons_stop(folder, list, 1);
    assert_false(daemon_alive(&p));
    assert_false(is_there("sleeper.pid"));
    assert_int_equal(daemons_list(folder, list), 0);
}

/* Nobody ended it on purpose: its pid file tells of it, until somebody does. */
static void one_that_ends_at_once(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        daemon_process p, found;
        start("brief", "exit 0", &p);
        while (daemon_alive(&p)) usleep(1000);
        assert_true(daemon_recorded(folder, &p));
        assert_false(daemon_find(folder, "brief", &found));
        assert_true(daemon_last(folder, "brief", &found));
        assert_int_equal(found.pid, p.pid);
        waitpid(p.pid, NULL, 0);
    }
    assert_int_equal(daemons_forget_gone(folder, "another model"), 0);
    assert_int_equal(daemons_forget_gone(folder, "a model"), 1);
    assert_false(is_there("brief.pid"));
}

/* It holds no descriptor of ours: what it has open is stdin, stdout and stderr. */
static void nothing_is_inherited(void **state) {
    (void)state;
    int fd = open("/dev/zero", O_RDONLY);       /* without O_CLOEXEC, to be caught */
    daemon_process p;
    char words[256];
    start("lister", "ls /proc/self/fd | tr '\\n' ' '; echo", &p);
    waitpid(p.pid, NULL, 0);
    daemon_last_words(folder, "lister", words, sizeof words);
    assert_string_equal(words, "0 1 2 3 ");     /* 3 is the folder that ls reads */
    close(fd);
    daemon_forget(folder, "lister");
}

/* A pid that has passed to another process is not ours. */
static void a_stranger_with_the_same_pid(void **state) {
    (void)state;
    daemon_process self = {.name = "stale"}, found;
    assert_true(daemon_identify(getpid(), &self));
    self.started--;
    assert_int_equal(daemon_record(folder, &self, &f), STATUS_OK);
    assert_false(daemon_find(folder, "stale", &found));
    daemon_process list[DAEMONS_MAX];
    assert_int_equal(daemons_list(folder, list), 0);
    assert_true(is_there("stale.pid"));         /* its keeper sees that nobody ended it on purpose */
    daemons_forget_gone(folder, NULL);
    assert_false(is_there("stale.pid"));
}

static void last_words_of_one_that_failed(void **state) {
    (void)state;
    daemon_process p;
    char words[64];
    start("failing", "echo first; echo the reason >&2; exit 1", &p);
    waitpid(p.pid, NULL, 0);
    assert_false(daemon_alive(&p));
    daemon_last_words(folder, "failing", words, sizeof words);
    assert_string_equal(words, "the reason");
    start("failing", "exit 1", &p);             /* a fresh log, the older one kept beside it */
    waitpid(p.pid, NULL, 0);
    daemon_last_words(folder, "failing", words, sizeof words);
    assert_string_equal(words, "");
    assert_true(is_there("failing.log.old"));
    daemon_forget(folder, "failing");
}

static void a_program_that_is_not_there(void **state) {
    (void)state;
    const char *const argv[] = {"/nonexistent/program", NULL};
    daemon_process p = {.name = "none"};
    assert_int_equal(daemon_start(folder, argv, &p, &f), STATUS_IO);
    assert_non_null(strstr(f.message, "/nonexistent/program"));
}

static void a_zombie_is_not_alive(void **state) {
    (void)state;
    daemon_process p;
    start("zombie", "exit 0", &p);
    siginfo_t info;
    waitid(P_PID, (id_t)p.pid, &info, WEXITED | WNOWAIT);
    assert_false(daemon_alive(&p));
    waitpid(p.pid, NULL, 0);
    daemon_forget(folder, "zombie");
}

static void one_at_a_time(void **state) {
    (void)state;
    int first, second;
    assert_int_equal(daemons_lock(folder, 0, &first, &f), STATUS_OK);
    assert_int_equal(daemons_lock(folder, 0.02, &second, &f), STATUS_BUSY);
    daemons_unlock(folder, &first);
    assert_int_equal(daemons_lock(folder, 0, &second, &f), STATUS_OK);
    daemons_unlock(folder, &second);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(started_found_and_ended),
        cmocka_unit_test(one_that_ends_at_once),
        cmocka_unit_test(nothing_is_inherited),
        cmocka_unit_test(a_stranger_with_the_same_pid),
        cmocka_unit_test(last_words_of_one_that_failed),
        cmocka_unit_test(a_program_that_is_not_there),
        cmocka_unit_test(a_zombie_is_not_alive),
        cmocka_unit_test(one_at_a_time),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
