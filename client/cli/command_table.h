/* The commands of `trivium`, in the order of its help: a new one is a row here and a file cmd_NAME.c. */
#ifndef TRIVIUM_COMMAND_TABLE_H
#define TRIVIUM_COMMAND_TABLE_H

#define COMMAND_TABLE(ROW)                                                    \
    ROW(generate, "write a text that goes on from a prompt")                  \
    ROW(chat, "talk with a model, message by message")                        \
    ROW(tune, "give a running generation another strategy")                   \
    ROW(watch, "see what a running generation has to choose from, live")      \
    ROW(cancel, "end a running generation")                                   \
    ROW(ps, "list what runs")                                                 \
    ROW(status, "show daemons, models and how busy they are")                 \
    ROW(probe, "show what a strategy makes of given logits")                  \
    ROW(tokenize, "text to token ids")                                        \
    ROW(detokenize, "token ids to text")                                      \
    ROW(score, "how likely a text is to the model, token by token")           \
    ROW(explore, "temperatures, or top-k and top-p, side by side")            \
    ROW(bench, "measure decode, prefill, several clients, or the KV-cache")   \
    ROW(drain, "end a daemon in order: what it has goes on to its end")       \
    ROW(up, "start the daemons that are missing here")                        \
    ROW(down, "end the daemons that run here")                                \
    ROW(keygen, "make and change the keys of links between hosts")

/* Each takes its own command line (argv[0] is its name) and returns an exit code. */
typedef int command(int argc, char **argv);

#define COMMAND_DECLARE(name, help) command cmd_##name;
COMMAND_TABLE(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
