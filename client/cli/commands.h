/* The commands of `trivium`: each takes its own command line (argv[0] is its name) and returns an
 * exit code. One file a command: cmd_NAME.c. */
#ifndef TRIVIUM_COMMANDS_H
#define TRIVIUM_COMMANDS_H

typedef int command(int argc, char **argv);

command cmd_generate, cmd_chat, cmd_tokenize, cmd_detokenize, cmd_score, cmd_probe, cmd_status, cmd_ps,
    cmd_cancel, cmd_tune, cmd_watch, cmd_explore, cmd_bench, cmd_up, cmd_down;

#endif
