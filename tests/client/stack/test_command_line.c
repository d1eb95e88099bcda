/* Command lines: made, read from a process that runs, and asked for a flag. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/stack/command_line.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

static command_line line_of(const char *const *words) {
    command_line line = {0};
    for (; *words; words++) assert_int_equal(command_line_add(&line, &f, "%s", *words), STATUS_OK);
    return line;
}

static void a_flag_is_found_in_both_forms(void **state) {
    (void)state;
    const command_line line = line_of((const char *const[]){
        "modeld", "--model=/a b/m.gguf", "--threads", "3", "--threads=4", "--isa", "", "--name=", "--log", NULL});
    assert_string_equal(command_line_value(&line, "model"), "/a b/m.gguf");
    assert_string_equal(command_line_value(&line, "threads"), "4");     /* the last holds */
    assert_string_equal(command_line_value(&line, "isa"), "");
    assert_string_equal(command_line_value(&line, "name"), "");
    assert_null(command_line_value(&line, "log"));                      /* its value is missing */
    assert_null(command_line_value(&line, "thread"));
    assert_null(command_line_value(&line, "threads-too"));
    assert_null(command_line_value(&(command_line){0}, "model"));
}

static void words_come_back(void **state) {
    (void)state;
    const char *const words[] = {"a", "", "c d", NULL}, *argv[COMMAND_LINE_WORDS_MAX + 1];
    const command_line line = line_of(words);
    command_line_words(&line, argv);
    for (int i = 0; i < 3; i++) assert_string_equal(argv[i], words[i]);
    assert_null(argv[3]);
    command_line_words(&(command_line){0}, argv);
    assert_null(argv[0]);
}

static void what_is_too_long_is_refused(void **state) {
    (void)state;
    command_line line = {0};
    assert_int_equal(command_line_add(&line, &f, "%*s", COMMAND_LINE_BYTES, ""), STATUS_TOO_LONG);
    assert_int_equal(command_line_add(&line, &f, "%*s", COMMAND_LINE_BYTES - 1, ""), STATUS_OK);
    assert_int_equal(command_line_add(&line, &f, "x"), STATUS_TOO_LONG);
    line.n_bytes = 0;
    for (int i = 0; i < COMMAND_LINE_WORDS_MAX; i++)
        assert_int_equal(command_line_add(&line, &f, "x"), STATUS_OK);
    assert_int_equal(command_line_add(&line, &f, "x"), STATUS_TOO_LONG);
}

static void of_a_process(void **state) {
    (void)state;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], STDOUT_FILENO);
        execlp("sh", "sh", "-c", "echo; exec sleep 1000 2>&1", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);      /* it is the shell, or sleep already */
    command_line line;
    const char *argv[COMMAND_LINE_WORDS_MAX + 1];
    while (!command_line_of(pid, &line) || strcmp(line.bytes, "sh") == 0) {}    /* none amid its exec */
    command_line_words(&line, argv);
    assert_string_equal(argv[0], "sleep");
    assert_string_equal(argv[1], "1000");
    kill(pid, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    assert_false(command_line_of(pid, &line));          /* a zombie has none */
    assert_int_equal(line.n_bytes, 0);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_is_found_in_both_forms),
        cmocka_unit_test(words_come_back),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(of_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
