#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/terminal/lines.h"

enum {
    WINDOW = TINY_LIMITS ? 2 : 64,              /* lines under way */
    WINDOW_BYTES = 32 * 1024 * 1024,            /* and their bytes, beyond the first */
    OUTPUT_BYTES_MAX = 1024 * 1024,             /* not yet written, before reading goes on */
    LINE_BYTES_MAX = 100 * 1024 * 1024,         /* a text of 16 MiB, all of it escaped */
    READ_BYTES = 64 * 1024,
};

typedef struct input_batch input_batch;

/* A line under way, or answered and waiting for those before it. */
typedef struct batch_line {
    input_batch *batch;
    task task;
    size_t n_bytes;             /* of the line */
    char *answer; /* what is to be printed; NULL while it is not there, or no memory */
    bool answered;
} batch_line;

struct input_batch {
    const batch_rules *rules;
    const void *flags;
    client *client;
    output *out;
    lines *lines;
    int fd;
    bool reading;               /* the loop watches fd */
    bool at_end;                /* of the input */
    bool broken;                /* input or memory failed: what is under way is still shown */
    batch_line ring[WINDOW];    /* [n_ring] from `first` on, and round */
    size_t first, n_ring;
    size_t n_bytes;             /* of all lines in the ring */
    int code;
};

/* ---- tasks ---- */

void task_init(task *t) {
    memset(t, 0, sizeof *t);
    strategy_init(&t->chain);
}

void task_clear(task *t) {
    json_decref(t->line);
    ids_clear(&t->ids);
    free(t->logits);
    free(t->messages);
    strategy_clear(&t->chain);
    task_init(t);
}

status task_text(const task *t, const char *key, question_text *out, failure *f) {
    const json_t *value = json_object_get(t->line, key);
    if (!json_is_string(value)) {
        return fail(f, STATUS_BAD_REQUEST,
                    value ? "\"%s\" must be a string" : "the line has no \"%s\"", key);
    }
    out->bytes = (const uint8_t *)json_string_value(value);
    out->n_bytes = json_string_length(value);
    if (out->n_bytes <= TEXT_BYTES_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", TEXT_BYTES_MAX);
}

status task_ids(task *t, const char *key, failure *f) {
    const json_t *value = json_object_get(t->line, key);
    if (!value) return fail(f, STATUS_BAD_REQUEST, "the line has no \"%s\"", key);
    return ids_from_json(&t->ids, key, value, f);
}

status task_messages(task *t, const char *key, failure *f) {
    const json_t *list = json_object_get(t->line, key), *value;
    size_t i, n = json_array_size(list);
    if (!json_is_array(list)) return fail(f, STATUS_BAD_REQUEST, "\"%s\" must be a list", key);
    if (n > MESSAGES_MAX)
        return fail(f, STATUS_TOO_LONG, "\"%s\" may have %d messages, not %zu", key, MESSAGES_MAX,
                    n);
    t->messages = calloc(n + 1, sizeof *t->messages);
    if (!t->messages) return fail(f, STATUS_NO_MEMORY, "no memory for %zu messages", n);
    json_array_foreach(list, i, value) {
        const json_t *role = json_object_get(value, "role");
        const json_t *content = json_object_get(value, "content");
        if (!json_is_string(role) || !json_is_string(content))
            return fail(f, STATUS_BAD_REQUEST,
                        "message %zu must have a \"role\" and a \"content\", which are strings",
                        i + 1);
        t->messages[i] = (conversation_message){
            .role = json_string_value(role),
            .content = (const uint8_t *)json_string_value(content),
            .n_bytes = json_string_length(content),
        };
    }
    t->n_messages = n;
    return STATUS_OK;
}

status task_uint(const task *t, const char *key, uint64_t max, uint64_t fallback, uint64_t *out,
                 failure *f) {
    const json_t *value = json_object_get(t->line, key);
    *out = fallback;
    if (!value) return STATUS_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number > max) {
        return fail(f, STATUS_BAD_REQUEST, "\"%s\" must be a whole number from 0 to %llu", key,
                    (unsigned long long)max);
    }
    *out = (uint64_t)number;
    return STATUS_OK;
}

/* ---- answers, in order ---- */

static void batch_break(input_batch *b, const failure *f) {
    b->broken = true;
    b->code = outcome_failed(f);
}

static batch_line *line_at(input_batch *b, size_t index) {
    return &b->ring[(b->first + index) % WINDOW];
}

static void line_answer(batch_line *s, json_t *value) {
    s->answer = json_line(value);
    s->answered = true;
}

static void line_fail(batch_line *s, status code, const char *message) {
    s->batch->code = EXIT_FAILED;
    json_t *what = json_failure(code, message);
    line_answer(s, what ? json_pack("{s: o}", "error", what) : NULL);
}

/* Write what is answered at the head of the ring. */
static void batch_show(input_batch *b) {
    while (b->n_ring > 0 && line_at(b, 0)->answered) {
        batch_line *s = line_at(b, 0);
        if (!s->answer || output_write(b->out, s->answer, strlen(s->answer)) != STATUS_OK) {
            failure f;
            fail(&f, STATUS_NO_MEMORY, "no memory for an answer");
            if (!b->broken) batch_break(b, &f);
        }
        free(s->answer);
        b->n_bytes -= s->n_bytes;
        task_clear(&s->task);
        b->first = (b->first + 1) % WINDOW;
        b->n_ring--;
    }
}

static void batch_pump(void *context);

static void on_answer(void *context, const answer *a) {
    batch_line *s = context;
    input_batch *b = s->batch;
    if (a->code == STATUS_OK) line_answer(s, b->rules->show(a));
    else line_fail(s, a->code, a->message);
    task_clear(&s->task);
    batch_pump(b);
}

/* ---- lines ---- */

static status line_ask(batch_line *s, const char *line, size_t n_bytes, failure *f) {
    input_batch *b = s->batch;
    s->task.line = json_read_object(line, n_bytes, f);
    if (!s->task.line) return f->code;
    status st = b->rules->read(b->flags, &s->task, f);
    if (st == STATUS_OK) st = client_call(b->client, &s->task.question, on_answer, s, f);
    return st;
}

static batch_line *line_take(input_batch *b, size_t n_bytes) {
    batch_line *s = line_at(b, b->n_ring++);
    *s = (batch_line){.batch = b, .n_bytes = n_bytes};
    task_init(&s->task);
    b->n_bytes += n_bytes;
    return s;
}

/* Take the next line into the ring; false when there is none yet. */
static bool batch_next(input_batch *b) {
    const char *line;
    size_t n_bytes;
    lines_outcome outcome = lines_next(b->lines, &line, &n_bytes);
    if (outcome == LINES_NONE) return false;
    failure f;
    batch_line *s = line_take(b, outcome == LINES_LINE ? n_bytes : 0);
    status st = outcome == LINES_LINE
                    ? line_ask(s, line, n_bytes, &f)
                    : fail(&f, STATUS_TOO_LONG, "the line is longer than %d bytes", LINE_BYTES_MAX);
    if (st != STATUS_OK) line_fail(s, f.code, f.message);
    return true;
}

static bool batch_has_room(const input_batch *b) {
    return b->n_ring < WINDOW && (b->n_ring == 0 || b->n_bytes < WINDOW_BYTES) &&
           output_pending_bytes(b->out) < OUTPUT_BYTES_MAX && !b->broken && !output_error(b->out);
}

static void on_readable(void *context) {
    input_batch *b = context;
    char piece[READ_BYTES];
    failure f;
    ssize_t n = read(b->fd, piece, sizeof piece);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0) {
        fail(&f, STATUS_IO, "cannot read the input: %s", strerror(errno));
        batch_break(b, &f);
    } else if (n == 0) {
        b->at_end = true;
        lines_end(b->lines);
    } else if (lines_add(b->lines, piece, (size_t)n) != STATUS_OK) {
        fail(&f, STATUS_NO_MEMORY, "no memory for a line of the input");
        batch_break(b, &f);
    }
    batch_pump(b);
}

static void batch_watch(input_batch *b, bool wanted) {
    if (wanted == b->reading) return;
    b->reading = wanted;
    if (!wanted) {
        loop_remove_fd(client_loop(b->client), b->fd);
    } else if (loop_add_reader(client_loop(b->client), b->fd, on_readable, b) != 0) {
        failure f;
        fail(&f, STATUS_NO_MEMORY, "no memory to read the input");
        b->reading = false;
        batch_break(b, &f);
    }
}

/* Everything that can go on without waiting goes on: answers out, lines in. The end is there when
 * nothing is under way, all is written and no line is left. */
static void batch_pump(void *context) {
    input_batch *b = context;
    do batch_show(b);
    while (batch_has_room(b) && batch_next(b));
    bool ended = b->at_end || b->broken;
    batch_watch(b, batch_has_room(b) && !ended);
    bool all_shown = b->n_ring == 0 && output_pending_bytes(b->out) == 0;
    if (output_error(b->out) || (ended && all_shown)) loop_stop(client_loop(b->client));
}

/* ---- the whole ---- */

static int input_open(const char *path) {
    if (strcmp(path, "-") == 0) return STDIN_FILENO;
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* The reader of stdout may be gone (quietly), or the disk is full. */
static int batch_outcome(const input_batch *b) {
    int error = output_error(b->out);
    if (error == 0) return b->code;
    failure f;
    fail(&f, STATUS_IO, "cannot write the answers: %s", strerror(error));
    return error == EPIPE ? EXIT_FAILED : outcome_failed(&f);
}

static int batch_loop(input_batch *b) {
    b->lines = lines_new(LINE_BYTES_MAX);
    b->out = output_new(client_loop(b->client), STDOUT_FILENO, batch_pump, b);
    if (!b->lines || !b->out) {
        failure f;
        fail(&f, STATUS_NO_MEMORY, "no memory for the answers");
        return outcome_failed(&f);
    }
    batch_watch(b, true);
    return loop_run(client_loop(b->client)) ? EXIT_INTERRUPTED : batch_outcome(b);
}

static void batch_free(input_batch *b) {
    for (; b->n_ring > 0; b->n_ring--, b->first = (b->first + 1) % WINDOW) {
        free(line_at(b, 0)->answer);
        task_clear(&line_at(b, 0)->task);
    }
    output_free(&b->out);
    lines_free(&b->lines);
    client_close(&b->client);
    free(b);
}

int batch_run(const common_flags *common, const char *path, const batch_rules *rules,
              const void *flags) {
    failure f;
    int fd = input_open(path);
    if (fd < 0) {
        fail(&f, STATUS_IO, "cannot open %s: %s", path, strerror(errno));
        return outcome_failed(&f);
    }
    input_batch *b = calloc(1, sizeof *b);
    if (!b) {
        fail(&f, STATUS_NO_MEMORY, "no memory for %s", path);
        return outcome_failed(&f);
    }
    b->rules = rules;
    b->flags = flags;
    b->fd = fd;
    b->code = ask_open(&b->client, common);
    int code = b->code == EXIT_FINE ? batch_loop(b) : b->code;
    batch_free(b);
    if (fd != STDIN_FILENO) close(fd);
    return code;
}
