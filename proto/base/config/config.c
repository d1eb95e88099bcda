#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config_lines.h"
#include "proto/base/log.h"
#include "proto/base/nearest.h"
#include "proto/base/process/signals.h"

/* A row of the command line, and what the file says of it. */
typedef struct setting {
    const option_row *row;
    bool given;                 /* on the command line, which wins */
    char *said;                 /* its values, each with a NUL; NULL: the file has none. `out` may point into it */
    size_t said_bytes;
    unsigned line;              /* of the first */
    void *first;                /* [size_of(row)]: what `out` had before anything was read */
    const config_change *change;        /* NULL: it holds until the next start */
} setting;

struct config {
    const char *path;           /* NULL: there is no file */
    int hangup_fd;
    setting *settings;          /* [n_settings] */
    size_t n_settings;
    config_check *check;        /* NULL: there is none */
    option_row *rows;           /* [n_settings + 2]: those of the command line, noted before they are taken, and --config */
};

static size_t size_of(const option_row *row) {
    switch (row->kind) {
    case OPTION_FLAG: return sizeof(bool);
    case OPTION_TEXT: return sizeof(const char *);
    case OPTION_TEXTS: return sizeof(option_texts);
    case OPTION_UINT: return sizeof(uint64_t);
    case OPTION_REAL: return sizeof(double);
    case OPTION_CALL:
    case OPTION_CALLS: break;
    }
    assert(row->out_bytes > 0); /* a settings file may have every row of a daemon */
    return row->out_bytes;
}

/* ---- the command line ---- */

static status take_given(void *out, const char *name, const char *value, failure *f) {
    setting *s = out;
    (void)name;
    s->given = true;
    return options_take(s->row, value, f);
}

static status take_path(void *out, const char *name, const char *value, failure *f) {
    (void)name;
    *(const char **)out = value;
    return *value ? STATUS_OK : fail(f, STATUS_BAD_REQUEST, "--config must name a file");
}

static bool add_setting(config *c, const option_row *row) {
    setting *s = &c->settings[c->n_settings];
    *s = (setting){.row = row, .first = malloc(size_of(row))};
    if (!s->first) return false;
    memcpy(s->first, row->out, size_of(row));
    c->rows[c->n_settings] = *row;
    c->rows[c->n_settings].kind = row->kind == OPTION_TEXTS || row->kind == OPTION_CALLS ? OPTION_CALLS : OPTION_CALL;
    c->rows[c->n_settings].out = s;
    c->rows[c->n_settings].take = take_given;
    c->n_settings++;
    return true;
}

static status make_rows(config *c, const options *o, failure *f) {
    enum { N_TABLES = sizeof o->tables / sizeof *o->tables };
    size_t n = 0;
    for (size_t t = 0; t < N_TABLES; t++)
        for (const option_row *row = o->tables[t]; row && row->name; row++) n++;
    c->settings = calloc(n + 1, sizeof *c->settings);
    c->rows = calloc(n + 2, sizeof *c->rows);
    bool fine = c->settings && c->rows;
    for (size_t t = 0; t < N_TABLES; t++)
        for (const option_row *row = o->tables[t]; fine && row && row->name; row++) fine = add_setting(c, row);
    if (!fine) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    c->rows[n] = (option_row){
        .name = "config", .kind = OPTION_CALL, .value_name = "FILE", .out = &c->path, .take = take_path,
        .help = "a file of settings, a line `name = value` for each flag; flags win, and SIGHUP has it read again",
    };
    return STATUS_OK;
}

/* ---- what a file says, apart from what holds: all of it is checked before any of it is taken ---- */

typedef struct reading {
    config_lines lines;
    const setting *of[CONFIG_BYTES_MAX];    /* [lines.n_lines]: whose value it is */
} reading;

static status refuse_key(const config *c, const config_line *line, failure *f) {
    size_t n_hyphens = strspn(line->key, "-");
    nearest meant = nearest_begin(line->key + n_hyphens, strlen(line->key + n_hyphens));
    for (size_t i = 0; i < c->n_settings; i++) nearest_try(&meant, c->settings[i].row->name);
    if (strcmp(line->key, "config") == 0)
        return fail(f, STATUS_BAD_REQUEST, "%s:%u: a settings file names no other one", c->path, line->number);
    if (meant.name)
        return fail(f, STATUS_BAD_REQUEST, "%s:%u: there is no setting %.60s: did you mean %s?", c->path, line->number,
                    line->key, meant.name);
    return fail(f, STATUS_BAD_REQUEST, "%s:%u: there is no setting %.60s: they are the flags of --help, without hyphens",
                c->path, line->number, line->key);
}

/* The value as options_take has it; false: a flag that says no. */
static status take_into(const option_row *row, const char *value, failure *f) {
    if (row->value_name) {
        if (value) return options_take(row, value, f);
        return fail(f, STATUS_BAD_REQUEST, "%s wants a value: %s = %s", row->name, row->name, row->value_name);
    }
    if (!value || strcmp(value, "true") == 0) return options_take(row, NULL, f);
    if (strcmp(value, "false") != 0)
        return fail(f, STATUS_BAD_REQUEST, "%s is true or false, not %.60s", row->name, value);
    if (row->kind == OPTION_FLAG) *(bool *)row->out = false;
    return STATUS_OK;
}

/* Would the row take it? Without a trace of it, if so or not. */
static status check_value(const config *c, const setting *s, const config_line *line, failure *f) {
    option_row trial = *s->row;
    failure why;
    trial.out = malloc(size_of(s->row));
    if (!trial.out) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    memcpy(trial.out, s->first, size_of(s->row));
    status st = take_into(&trial, line->value, &why);
    free(trial.out);
    bool is_quoted = line->value && (line->value[0] == '"' || line->value[0] == '\'');
    return st == STATUS_OK ? st : fail(f, st, "%s:%u: %s%s", c->path, line->number, why.message,
                                       is_quoted ? "; values take no quotes" : "");
}

static status check_line(const config *c, reading *r, size_t i, failure *f) {
    const config_line *line = &r->lines.lines[i];
    const setting *s = NULL;
    for (size_t k = 0; k < c->n_settings; k++)
        if (strcmp(c->settings[k].row->name, line->key) == 0) s = &c->settings[k];
    if (!s) return refuse_key(c, line, f);
    r->of[i] = s;
    size_t n_before = 0;
    unsigned before = 0;
    for (size_t k = 0; k < i; k++)
        if (r->of[k] == s && n_before++ == 0) before = r->lines.lines[k].number;
    if (s->row->kind != OPTION_TEXTS && n_before > 0)
        return fail(f, STATUS_BAD_REQUEST, "%s:%u: %s stands in line %u already", c->path, line->number, line->key,
                    before);
    if (n_before >= OPTION_TEXTS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "%s:%u: %s may stand there at most %d times", c->path, line->number,
                    line->key, OPTION_TEXTS_MAX);
    return check_value(c, s, line, f);
}

static status read_file(const config *c, reading *r, failure *f) {
    status st = config_lines_read(&r->lines, c->path, f);
    for (size_t i = 0; st == STATUS_OK && i < r->lines.n_lines; i++) st = check_line(c, r, i, f);
    return st;
}

/* What it says of one setting, in the form of setting.said; *out is NULL where it says nothing. */
static status gather(const reading *r, const setting *s, setting *out, failure *f) {
    *out = (setting){.said = NULL};
    for (size_t i = 0; i < r->lines.n_lines; i++) {
        if (r->of[i] != s) continue;
        const char *value = r->lines.lines[i].value ? r->lines.lines[i].value : "true";
        size_t n_bytes = strlen(value) + 1;
        char *said = realloc(out->said, out->said_bytes + n_bytes);
        if (!said) {
            free(out->said);
            out->said = NULL;
            return fail(f, STATUS_NO_MEMORY, "no memory for settings");
        }
        memcpy(said + out->said_bytes, value, n_bytes);
        if (!out->said) out->line = r->lines.lines[i].number;
        out->said = said;
        out->said_bytes += n_bytes;
    }
    return STATUS_OK;
}

/* Each value was checked: it is taken. */
static void take(setting *s) {
    memcpy(s->row->out, s->first, size_of(s->row));
    for (size_t at = 0; at < s->said_bytes; at += strlen(s->said + at) + 1) {
        failure f;
        status st = take_into(s->row, s->said + at, &f);
        assert(st == STATUS_OK);
        (void)st;
    }
}

/* ---- at the start ---- */

static status take_all(config *c, const reading *r, failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < c->n_settings; i++) {
        setting *s = &c->settings[i], found;
        st = gather(r, s, &found, f);
        if (st != STATUS_OK || !found.said) continue;
        s->said = found.said;
        s->said_bytes = found.said_bytes;
        s->line = found.line;
        if (!s->given) take(s);
    }
    return st;
}

static status load(config *c, failure *f) {
    reading *r = calloc(1, sizeof *r);
    if (!r) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    status st = read_file(c, r, f);
    if (st == STATUS_OK) st = take_all(c, r, f);
    config_lines_clear(&r->lines);
    free(r);
    return st;
}

static status watch_hangups(config *c, failure *f) {
    c->hangup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->hangup_fd < 0) return fail(f, STATUS_IO, "no descriptor is left to be told of SIGHUP by");
    signals_hangup_wakes(c->hangup_fd);
    return STATUS_OK;
}

status config_open(config **out, const options *o, int argc, char **argv, failure *f) {
    config *c = *out = calloc(1, sizeof *c);
    if (!c) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    c->hangup_fd = -1;
    status st = make_rows(c, o, f);
    const options noted = {.usage = o->usage, .summary = o->summary, .tables = {c->rows}};
    if (st == STATUS_OK) st = options_parse(&noted, argc, argv, NULL, &(size_t){0}, f);
    if (st == STATUS_OK && c->path) st = load(c, f);
    if (st == STATUS_OK && c->path) st = watch_hangups(c, f);
    if (st != STATUS_OK) config_close(out);
    return st;
}

void config_close(config **out) {
    config *c = *out;
    *out = NULL;
    if (!c) return;
    if (c->hangup_fd >= 0) {
        signals_hangup_wakes(-1);
        close(c->hangup_fd);
    }
    for (size_t i = 0; i < c->n_settings; i++) {
        free(c->settings[i].said);
        free(c->settings[i].first);
    }
    free(c->settings);
    free(c->rows);
    free(c);
}

void config_blame(const config *c, const char *name, failure *f) {
    for (size_t i = 0; i < c->n_settings; i++) {
        const setting *s = &c->settings[i];
        if (s->given || !s->said || strcmp(s->row->name, name) != 0) continue;
        failure why = *f;
        fail(f, why.code, "%s:%u: %s", c->path, s->line, why.message);
    }
}

static setting *find(const config *c, const char *name) {
    for (size_t i = 0; i < c->n_settings; i++)
        if (strcmp(c->settings[i].row->name, name) == 0) return &c->settings[i];
    return NULL;
}

void config_exclude(config *c, const char *one, const char *other) {
    const setting *a = find(c, one), *b = find(c, other);
    assert(a && b);
    if (a->given == b->given) return;
    const setting *outdone = a->given ? b : a;
    memcpy(outdone->row->out, outdone->first, size_of(outdone->row));
}

/* ---- while it runs ---- */

void config_on_change(config *c, const config_change *table, config_check *check) {
    c->check = check;
    for (const config_change *change = table; change->name; change++) {
        setting *s = find(c, change->name);
        assert(s && s->row->kind != OPTION_TEXTS);
        s->change = change;
    }
}

int config_hangup_fd(const config *c) {
    return c->hangup_fd;
}

/* Notes in `now` what a setting has, and gives it what it would have after a start with this file. */
static status try_on(const reading *r, const setting *s, setting *trial, void **now, failure *f) {
    status st = gather(r, s, trial, f);
    if (st != STATUS_OK) return st;
    trial->row = s->row;
    trial->given = s->given;
    trial->first = s->first;
    *now = malloc(size_of(s->row));
    if (!*now) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    memcpy(*now, s->row->out, size_of(s->row));
    if (!s->given) take(trial);
    return STATUS_OK;
}

/* Each value was checked alone; then all are what they were. */
static status check_as_at_start(const config *c, const reading *r, failure *f) {
    config trial = *c;
    void **now = calloc(c->n_settings, sizeof *now);
    trial.settings = calloc(c->n_settings, sizeof *trial.settings);
    status st = now && trial.settings ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for settings");
    for (size_t i = 0; st == STATUS_OK && i < c->n_settings; i++)
        st = try_on(r, &c->settings[i], &trial.settings[i], &now[i], f);
    if (st == STATUS_OK) st = c->check(&trial, f);
    for (size_t i = 0; now && trial.settings && i < c->n_settings; i++) {
        if (now[i]) memcpy(c->settings[i].row->out, now[i], size_of(c->settings[i].row));
        free(now[i]);
        free(trial.settings[i].said);
    }
    free(now);
    free(trial.settings);
    return st;
}

enum { NAMES_BYTES = 256 };

static void add_name(char names[NAMES_BYTES], const char *name) {
    size_t n = strlen(names);
    snprintf(names + n, NAMES_BYTES - n, "%s%s", n > 0 ? "," : "", name);
}

static bool says_the_same(const setting *a, const setting *b) {
    return a->said_bytes == b->said_bytes && (!a->said || memcmp(a->said, b->said, a->said_bytes) == 0);
}

/* Takes over what `found` has. */
static void change(setting *s, const setting *found) {
    char *before = s->said;
    s->said = found->said;
    s->said_bytes = found->said_bytes;
    s->line = found->line;
    take(s);
    s->change->changed(s->change->context);
    free(before);
}

static status take_changes(config *c, const reading *r, char changed[NAMES_BYTES], char kept[NAMES_BYTES], failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < c->n_settings; i++) {
        setting *s = &c->settings[i], found;
        if (s->given) continue;
        st = gather(r, s, &found, f);
        if (st != STATUS_OK) break;
        bool differs = !says_the_same(s, &found);
        if (differs) add_name(s->change ? changed : kept, s->row->name);
        if (differs && s->change) change(s, &found);
        else free(found.said);
    }
    return st;
}

void config_reload(void *context) {
    config *c = context;
    uint64_t n;
    ssize_t ignored = read(c->hangup_fd, &n, sizeof n);
    (void)ignored;
    failure f;
    char changed[NAMES_BYTES] = "", kept[NAMES_BYTES] = "";
    reading *r = calloc(1, sizeof *r);
    status st = r ? read_file(c, r, &f) : fail(&f, STATUS_NO_MEMORY, "no memory for settings");
    if (st == STATUS_OK && c->check) st = check_as_at_start(c, r, &f);
    if (st == STATUS_OK) st = take_changes(c, r, changed, kept, &f);
    if (r) config_lines_clear(&r->lines);
    free(r);
    if (st != STATUS_OK) log_event(LOG_ERROR, "config_refused", "error=\"%s: nothing was changed\"", f.message);
    else log_event(LOG_INFO, "config_read", "file=\"%s\" changed=%s%s%s", c->path, changed,
                   *kept ? " at_next_start=" : "", kept);
}
