/* trivium: the client of the three daemons. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/command_table.h"
#include "client/cli/outcome.h"
#include "client/terminal/term.h"
#include "proto/base/limits.h"
#include "proto/base/process/signals.h"

#define TRIVIUM_VERSION "0.1.0"

typedef struct command_row {
    const char *name;
    command *run;
    const char *help;
} command_row;

static const command_row commands[] = {
#define COMMAND_ROW(name, help) {#name, cmd_##name, help},
    COMMAND_TABLE(COMMAND_ROW)
#undef COMMAND_ROW
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *to) {
    fputs("usage: trivium COMMAND [ARGUMENTS] [FLAGS]\n\n", to);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-12s%s\n", commands[i].name, commands[i].help);
    fputs("\ntrivium COMMAND --help tells more, with an example. Begin with: trivium up\n", to);
}

static int unknown_command(const char *name) {
    char known[256];
    size_t n_bytes = 0;
    for (int i = 0; i < N_COMMANDS && n_bytes < sizeof known; i++) {
        n_bytes += (size_t)snprintf(known + n_bytes, sizeof known - n_bytes, "%s%s", i ? ", " : "",
                                    commands[i].name);
    }
    return outcome_wrong_use("there is no command %.40s: the commands are %s", name, known);
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_WRONG_USE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return EXIT_FINE;
    }
    if (strcmp(name, "--version") == 0) {
        printf("trivium %s (protocol %d)\n", TRIVIUM_VERSION, PROTOCOL_VERSION);
        return EXIT_FINE;
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    }
    return unknown_command(name);
}

/* A closed descriptor must not become a socket that text is written to: it stays one that fails. */
static void keep_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

int main(int argc, char **argv) {
    signals_begin(EXIT_INTERRUPTED);
    keep_standard_descriptors();
    term_use_utf8();
    int code = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    if (errno != EPIPE) outcome_failed(&(failure){STATUS_IO, "cannot write to stdout"});
    return code == EXIT_FINE ? EXIT_FAILED : code;
}
