#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/terminal/lines.h"

enum {
    HELD_LINES_MAX = TINY_LIMITS ? 8 : 4096,    /* under way, or answered and waiting for those before them */
    HELD_BYTES_MAX = 32 * 1024 * 1024,          /* of lines and answers, beyond the first */
    OUTPUT_BYTES_MAX = 1024 * 1024,             /* not yet written, before reading goes on */
    LINE_BYTES_MAX = 100 * 1024 * 1024,         /* a text of 16 MiB, all of it escaped */
    READ_BYTES = 64 * 1024,
};

struct batch_line {
    batch *of;
    batch_line *next, *previous;
    uint64_t number;
    size_t n_bytes;             /* of the line; of the answer once it is there */
    json_t *object;             /* owned; NULL: the line is none */
    void *work;                 /* the owner's */
    char *answer;               /* what is to be printed; NULL while it is not there, or no memory */
    bool answered;
};

struct batch {
    batch_options how;
    batch_events events;
    void *context;
    client *client;
    output *out;
    lines *lines;
    int fd;
    bool reading;               /* the loop watches fd */
    bool at_end;                /* of the input */
    bool broken;                /* input or memory failed: what is under way is still shown */
    bool interrupted;           /* by Ctrl-C: no more lines are read */
    bool pumping;
    batch_line *first, *last;   /* in the order of the input */
    size_t n_held, n_bytes;     /* of them all */
    batch_counts counts;
    int code;
};

batch_counts batch_count(const batch *b) {
    return b->counts;
}

size_t batch_pending_bytes(const batch *b) {
    return output_pending_bytes(b->out);
}

static int batch_tell(const batch *b, const failure *f) {
    if (b->events.tell) b->events.tell(b->context);
    return outcome_failed(f);
}

static void batch_break(batch *b, status code, const char *sentence) {
    failure f;
    fail(&f, code, "%s", sentence);
    b->broken = true;
    b->code = batch_tell(b, &f);
}

/* ---- lines ---- */

void batch_line_keep(batch_line *line, void *work) {
    line->work = work;
}

uint64_t batch_line_number(const batch_line *line) {
    return line->number;
}

/* After the last one; NULL: no memory. */
static batch_line *line_new(batch *b, size_t n_bytes) {
    batch_line *line = calloc(1, sizeof *line);
    if (!line) return NULL;
    *line = (batch_line){.of = b, .previous = b->last, .n_bytes = n_bytes,
                         .number = b->counts.n_done + b->counts.n_under_way + 1};
    *(b->last ? &b->last->next : &b->first) = line;
    b->last = line;
    b->n_held++;
    b->n_bytes += n_bytes;
    b->counts.n_under_way++;
    return line;
}

/* Nothing is done for it any longer. */
static void line_rest(batch_line *line) {
    if (line->work) line->of->events.drop(line->of->context, line->work);
    line->work = NULL;
    json_decref(line->object);
    line->object = NULL;
}

static void line_free(batch_line *line) {
    batch *b = line->of;
    line_rest(line);
    *(line->previous ? &line->previous->next : &b->first) = line->next;
    *(line->next ? &line->next->previous : &b->last) = line->previous;
    b->n_held--;
    b->n_bytes -= line->n_bytes;
    free(line->answer);
    free(line);
}

/* ---- answers ---- */

/* What belongs in front of every result, and the result. */
static json_t *marked(const batch_line *line, json_t *value) {
    const batch *b = line->of;
    if (!b->events.mark) return value;
    json_t *whole = json_object();
    if (whole) b->events.mark(b->context, line, line->object, whole);
    if (whole && (!value || json_object_update(whole, value) != 0)) {
        json_decref(whole);
        whole = NULL;
    }
    json_decref(value);
    return whole;
}

static void batch_pump(void *context);

static void line_answer(batch_line *line, json_t *value, bool failed) {
    batch *b = line->of;
    line->answer = json_line(marked(line, value));
    line->answered = true;
    line_rest(line);
    b->n_bytes -= line->n_bytes;
    line->n_bytes = line->answer ? strlen(line->answer) : 0;
    b->n_bytes += line->n_bytes;
    b->counts.n_under_way--;
    b->counts.n_done++;
    b->counts.n_failed += failed;
    if (failed) b->code = EXIT_FAILED;
    batch_pump(b);
}

void batch_line_answer(batch_line *line, json_t *value) {
    line_answer(line, value, false);
}

void batch_line_answer_failed(batch_line *line, json_t *value) {
    line_answer(line, value, true);
}

void batch_line_fail(batch_line *line, const failure *f) {
    json_t *what = json_failure(f->code, f->message);
    line_answer(line, what ? json_pack("{s: o}", "error", what) : NULL, true);
}

/* Write what is answered and has its turn. */
static void batch_show(batch *b) {
    for (batch_line *line = b->first, *next; line; line = next) {
        next = line->next;
        if (!line->answered && !b->how.as_completed) return;
        if (!line->answered) continue;
        if (b->events.write) b->events.write(b->context);
        bool whole = line->answer &&
                     output_write(b->out, line->answer, line->n_bytes) == STATUS_OK;
        if (!whole && !b->broken) batch_break(b, STATUS_NO_MEMORY, "no memory for an answer");
        line_free(line);
    }
}

/* ---- input ---- */

static status line_begin(batch_line *line, const char *text, size_t n_bytes, failure *f) {
    batch *b = line->of;
    line->object = json_read_object(text, n_bytes, f);
    return line->object ? b->events.begin(b->context, line, line->object, f) : f->code;
}

/* Take up the next line; false when there is none yet. */
static bool batch_next(batch *b) {
    const char *text;
    size_t n_bytes;
    lines_outcome outcome = lines_next(b->lines, &text, &n_bytes);
    if (outcome == LINES_NONE) return false;
    failure f;
    batch_line *line = line_new(b, outcome == LINES_LINE ? n_bytes : 0);
    if (!line) {
        batch_break(b, STATUS_NO_MEMORY, "no memory for a line of the input");
        return false;
    }
    status st = outcome == LINES_LINE
                    ? line_begin(line, text, n_bytes, &f)
                    : fail(&f, STATUS_TOO_LONG, "the line is longer than %d bytes", LINE_BYTES_MAX);
    f.code = st;                /* which may be another than that of whoever said the sentence */
    if (st != STATUS_OK) batch_line_fail(line, &f);
    return true;
}

static bool batch_reads(const batch *b) {
    return !b->at_end && !b->broken && !b->interrupted;
}

static bool batch_has_room(const batch *b) {
    return b->counts.n_under_way < b->how.n_under_way_max && b->n_held < HELD_LINES_MAX &&
           (b->n_held == 0 || b->n_bytes < HELD_BYTES_MAX) &&
           output_pending_bytes(b->out) < OUTPUT_BYTES_MAX && !b->broken && !b->interrupted &&
           !output_error(b->out);
}

static void on_readable(void *context) {
    batch *b = context;
    char piece[READ_BYTES];
    ssize_t n = read(b->fd, piece, sizeof piece);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0) {
        failure f;
        fail(&f, STATUS_IO, "cannot read the input: %s", strerror(errno));
        batch_break(b, f.code, f.message);
    } else if (n == 0) {
        b->at_end = true;
        lines_end(b->lines);
    } else if (lines_add(b->lines, piece, (size_t)n) != STATUS_OK) {
        batch_break(b, STATUS_NO_MEMORY, "no memory for a line of the input");
    }
    batch_pump(b);
}

static void batch_watch(batch *b, bool wanted) {
    if (wanted == b->reading) return;
    b->reading = wanted;
    if (!wanted) {
        loop_remove_fd(client_loop(b->client), b->fd);
    } else if (loop_add_reader(client_loop(b->client), b->fd, on_readable, b) != 0) {
        b->reading = false;
        batch_break(b, STATUS_NO_MEMORY, "no memory to read the input");
    }
}

static bool batch_is_over(const batch *b) {
    bool all_shown = b->n_held == 0 && output_pending_bytes(b->out) == 0;
    return output_error(b->out) || (!batch_reads(b) && all_shown);
}

/* Everything that can go on without waiting goes on: answers out, lines in. The end is there when nothing
 * is under way, all is written and no line is left. */
static void batch_pump(void *context) {
    batch *b = context;
    if (b->pumping) return;     /* an answer at once: whoever pumps sees it */
    b->pumping = true;
    do batch_show(b);
    while (batch_has_room(b) && batch_next(b));
    b->pumping = false;
    batch_watch(b, batch_has_room(b) && batch_reads(b));
    if (batch_is_over(b)) loop_stop(client_loop(b->client));
}

/* ---- the whole ---- */

/* The reader of stdout may be gone (quietly), or the disk is full. */
static int batch_outcome(const batch *b) {
    int error = output_error(b->out);
    if (error == 0) return b->interrupted ? EXIT_INTERRUPTED : b->code;
    failure f;
    fail(&f, STATUS_IO, "cannot write the answers: %s", strerror(error));
    return error == EPIPE ? EXIT_FAILED : batch_tell(b, &f);
}

/* What is under way is ended, and shown as far as it came. */
static void batch_interrupt(batch *b) {
    b->interrupted = b->pumping = true;
    for (batch_line *line = b->first; line; line = line->next) {
        if (!line->answered) b->events.cancel(b->context, line->work);
    }
    b->pumping = false;
    batch_pump(b);
}

int batch_run(batch *b) {
    batch_watch(b, true);
    while (loop_run(client_loop(b->client))) {
        if (b->interrupted || !b->events.cancel) return EXIT_INTERRUPTED;
        batch_interrupt(b);
        if (batch_is_over(b)) break;
    }
    return batch_outcome(b);
}

batch *batch_new(client *c, const batch_options *how, const batch_events *events, void *context, failure *f) {
    bool is_stdin = strcmp(how->path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(how->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail(f, STATUS_IO, "cannot open %s: %s", how->path, strerror(errno));
        return NULL;
    }
    if (is_stdin) input_tell_waiting("lines of JSON");
    batch *b = calloc(1, sizeof *b);
    if (b) {
        *b = (batch){.how = *how, .events = *events, .context = context, .client = c, .fd = fd};
        b->lines = lines_new(LINE_BYTES_MAX);
        b->out = output_new(client_loop(c), STDOUT_FILENO, batch_pump, b);
        if (b->lines && b->out) return b;
    }
    fail(f, STATUS_NO_MEMORY, "no memory for %s", how->path);
    batch_free(&b);
    return NULL;
}

void batch_free(batch **out) {
    batch *b = *out;
    if (!b) return;
    *out = NULL;
    while (b->first) line_free(b->first);
    batch_watch(b, false);
    output_free(&b->out);
    lines_free(&b->lines);
    if (b->fd != STDIN_FILENO) close(b->fd);
    free(b);
}
