/* trivium: the client of the three daemons. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/command_table.h"
#include "client/cli/outcome.h"
#include "client/terminal/term.h"
#include "proto/base/nearest.h"
#include "proto/base/options.h"
#include "proto/base/process/signals.h"

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
    fputs("\ntrivium help COMMAND tells more, with an example. Begin with: trivium up\n", to);
}

/* What other programs of this kind call it; NULL: none does. */
static const char *name_here(const char *name) {
    static const struct {
        const char *there, *here;
    } names[] = {{"run", "chat"},   {"serve", "up"},   {"start", "up"},  {"stop", "down"},
                 {"list", "status"}, {"ls", "status"}, {"version", "--version"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].there) == 0) return names[i].here;
    return NULL;
}

static int unknown_command(const char *name) {
    char known[256];
    size_t n_bytes = 0;
    const char *word = name + strspn(name, "-");
    nearest meant = nearest_begin(word, strlen(word));
    nearest_try(&meant, "help");
    for (int i = 0; i < N_COMMANDS; i++) nearest_try(&meant, commands[i].name);
    const char *here = meant.name ? meant.name : name_here(name);
    if (here) return outcome_wrong_use("there is no command %.40s: did you mean %s?", name, here);
    if (name[0] == '-')
        return outcome_wrong_use("there is no command %.40s: flags stand after the command, "
                                 "as in trivium ps --json", name);
    for (int i = 0; i < N_COMMANDS && n_bytes < sizeof known; i++) {
        n_bytes += (size_t)snprintf(known + n_bytes, sizeof known - n_bytes, "%s%s", i ? ", " : "",
                                    commands[i].name);
    }
    return outcome_wrong_use("there is no command %.40s: the commands are %s", name, known);
}

static const command_row *command_find(const char *name) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0) return &commands[i];
    return NULL;
}

/* `what`: NULL, or which one of a command that is several. */
static int help_of(const command_row *row, char *what) {
    char flag[] = "--help";
    char *argv[] = {(char *)row->name, what ? what : flag, what ? flag : NULL, NULL};
    return row->run(what ? 3 : 2, argv);
}

/* `help`, `help COMMAND`, `help bench decode`. */
static int help(int argc, char **argv) {
    if (argc > 3) return outcome_wrong_use("help takes one command, as in trivium help %.40s", argv[1]);
    const command_row *row = argc > 1 ? command_find(argv[1]) : NULL;
    if (row) return help_of(row, argc > 2 ? argv[2] : NULL);
    if (argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0) return unknown_command(argv[1]);
    print_help(stdout);
    return EXIT_FINE;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_WRONG_USE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0) return help(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return help(1, argv);
    if (strcmp(name, "--version") == 0) {
        options_print_version("trivium");
        return EXIT_FINE;
    }
    const command_row *row = command_find(name);
    return row ? row->run(argc - 1, argv + 1) : unknown_command(name);
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
