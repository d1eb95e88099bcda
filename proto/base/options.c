#include "options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "limits.h"
#include "nearest.h"
#include "text.h"

enum {
    TABLES_MAX = sizeof((options){0}.tables) / sizeof((options){0}.tables[0]),
    HELP_COLUMN = 30,           /* what a flag does, beside it */
    HELP_COLUMN_NARROW = 6,     /* below it, on a terminal of fewer than HELP_CELLS_FLAGS */
    HELP_CELLS = 80,            /* of a line, but on a terminal that is narrower */
    HELP_CELLS_FLAGS = 60,
    HELP_CELLS_MIN = 20,
    WORD_BYTES_SHOWN = 64,      /* of one that is refused */
    ROWS_MAX = 128,             /* of all tables of a command */
};

/* A command line, as far as it is read. */
typedef struct words_read {
    const options *o;
    int argc, at;               /* the word that is read */
    char **argv;
    const option_row *given[ROWS_MAX];  /* [n_given]: those with a value that is taken once */
    size_t n_given;
} words_read;

/* Digits with an optional point, then an optional exponent: no blanks, hexadecimal, inf or nan. */
static bool is_decimal(const char *text) {
    size_t n_digits = 0;
    if (*text == '-' || *text == '+') text++;
    for (; isdigit((unsigned char)*text); text++) n_digits++;
    if (*text == '.') text++;
    for (; isdigit((unsigned char)*text); text++) n_digits++;
    if (n_digits == 0) return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+') text++;
        if (!isdigit((unsigned char)*text)) return false;
        while (isdigit((unsigned char)*text)) text++;
    }
    return *text == 0;
}

bool options_real(const char *text, double *out) {
    if (!is_decimal(text)) return false;
    /* Line editing sets the user's locale, whose decimal point may be a comma. */
    static locale_t plain;      /* made once, kept for the life of the program */
    if (!plain) plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain) return false;
    double value = strtod_l(text, NULL, plain);
    if (!isfinite(value)) return false;
    *out = value;
    return true;
}

bool options_uint(const char *text, unsigned long long *out) {
    if (*text == 0) return false;
    for (const char *p = text; *p; p++)
        if (!isdigit((unsigned char)*p)) return false;
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0) return false;
    *out = value;
    return true;
}

/* The row named by the first n_name bytes of `name`; NULL when there is none. */
static const option_row *row_find(const options *o, const char *name, size_t n_name) {
    for (size_t t = 0; t < TABLES_MAX; t++)
        for (const option_row *row = o->tables[t]; row && row->name; row++)
            if (strlen(row->name) == n_name && memcmp(row->name, name, n_name) == 0) return row;
    return NULL;
}

static const option_row *letter_find(const options *o, char letter) {
    for (size_t t = 0; t < TABLES_MAX; t++)
        for (const option_row *row = o->tables[t]; row && row->name; row++)
            if (row->letter == letter) return row;
    return NULL;
}

/* Characters of n_bytes of our own help, none of which is wide. */
static size_t width_of(const char *text, size_t n_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static size_t help_cells(void) {
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    if (!is_known || size.ws_col > HELP_CELLS) return HELP_CELLS;
    return size.ws_col < HELP_CELLS_MIN ? HELP_CELLS_MIN : size.ws_col;
}

/* Paragraphs, the first of which begins at column `indent`, filled up to help_cells. A line that
 * begins with a blank, an example, stays one; so does an empty one. */
static void print_folded(const char *text, size_t indent) {
    const size_t n_cells = help_cells();
    size_t column = indent;
    while (*text) {
        bool goes_on = column > indent && text[1] && text[1] != ' ' && text[1] != '\n';
        if (*text == '\n' && !goes_on) {
            putchar(*text++);
            column = indent;
            continue;
        }
        size_t n_blanks = *text == '\n' ? 1 : strspn(text, " ");
        const char *word = text + n_blanks;
        size_t n_word = strcspn(word, " \n"), width = width_of(word, n_word);
        if (column > indent && column + n_blanks + width > n_cells) {
            printf("\n%*s", (int)indent, "");
            column = indent;
            n_blanks = 0;
        }
        printf("%*s%.*s", (int)n_blanks, "", (int)n_word, word);
        text = word + n_word;
        column += n_blanks + width;
    }
    putchar('\n');
}

static void print_row(const option_row *row) {
    char letter[] = "-x, ";
    letter[1] = row->letter;
    int n = printf("  %s--%s%s%s", row->letter ? letter : "", row->name, row->value_name ? " " : "",
                   row->value_name ? row->value_name : "");
    const int column = help_cells() < HELP_CELLS_FLAGS ? HELP_COLUMN_NARROW : HELP_COLUMN;
    if (n < column) printf("%*s", column - n, "");
    else printf("\n%*s", column, "");
    print_folded(row->help, (size_t)column);
}

static void print_help(const options *o) {
    fputs("usage: ", stdout);
    print_folded(o->usage, strlen("usage: "));
    putchar('\n');
    print_folded(o->summary, 0);
    putchar('\n');
    for (size_t t = 0; t < TABLES_MAX; t++)
        for (const option_row *row = o->tables[t]; row && row->name; row++) print_row(row);
    print_row(&(option_row){.name = "help", .letter = 'h', .help = "this text"});
    print_row(&(option_row){.name = "version", .help = "of the program and its protocol"});
}

void options_print_version(const char *usage) {
    printf("%.*s %s (protocol %d)\n", (int)strcspn(usage, " "), usage, TRIVIUM_VERSION,
           PROTOCOL_VERSION_MAX);
}

/* "--top-k needs a whole number from 0 to 100, not "x"". */
static status refuse_number(const option_row *row, const char *value, failure *f) {
    const char *what = row->kind == OPTION_UINT ? "a whole number" : "a number";
    char range[80] = "";
    if (isfinite(row->min) && isfinite(row->max))
        snprintf(range, sizeof range, " from %.17g to %.17g", row->min, row->max);
    else if (isfinite(row->min))
        snprintf(range, sizeof range, " of at least %.17g", row->min);
    else if (isfinite(row->max))
        snprintf(range, sizeof range, " of at most %.17g", row->max);
    return fail(f, STATUS_BAD_REQUEST, "--%s needs %s%s, not \"%s\"", row->name, what, range,
                value);
}

static status take_uint(const option_row *row, const char *value, failure *f) {
    unsigned long long n;
    if (!options_uint(value, &n) || (double)n < row->min || (double)n > row->max)
        return refuse_number(row, value, f);
    *(uint64_t *)row->out = n;
    return STATUS_OK;
}

static status take_real(const option_row *row, const char *value, failure *f) {
    double x;
    if (!options_real(value, &x) || x < row->min || x > row->max)
        return refuse_number(row, value, f);
    *(double *)row->out = x;
    return STATUS_OK;
}

static status take_text_too(const option_row *row, const char *value, failure *f) {
    option_texts *texts = row->out;
    if (texts->n_items == OPTION_TEXTS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "--%s may be given at most %d times", row->name,
                    OPTION_TEXTS_MAX);
    texts->items[texts->n_items++] = value;
    return STATUS_OK;
}

status options_take(const option_row *row, const char *value, failure *f) {
    switch (row->kind) {
    case OPTION_FLAG: *(bool *)row->out = true; return STATUS_OK;
    case OPTION_TEXT: *(const char **)row->out = value; return STATUS_OK;
    case OPTION_TEXTS: return take_text_too(row, value, f);
    case OPTION_UINT: return take_uint(row, value, f);
    case OPTION_REAL: return take_real(row, value, f);
    case OPTION_CALL:
    case OPTION_CALLS: return row->take(row->out, row->name, value, f);
    }
    assert(false); /* a row's kind is one of those */
    return STATUS_BAD_REQUEST;
}

/* "-" and "-1.5" are values; "--stop" and "-x" are more likely a flag whose value was forgotten. */
static bool can_be_value(const char *word) {
    if (word[0] != '-' || word[1] == 0) return true;
    return isdigit((unsigned char)word[1]) || word[1] == '.';
}

/* Of a word that is refused: whole characters of its first line. */
static int bytes_shown(const char *word, size_t n_word) {
    size_t n_line = strcspn(word, "\n");
    if (n_line < n_word) n_word = n_line;
    if (n_word <= WORD_BYTES_SHOWN) return (int)n_word;
    return (int)text_whole_prefix((const uint8_t *)word, WORD_BYTES_SHOWN);
}

/* What was meant, or how a text that looks like a flag is given. */
static status refuse_flag(const options *o, const char *flag, size_t n_flag, failure *f) {
    size_t n_hyphens = strspn(flag, "-");
    nearest meant = nearest_begin(flag + n_hyphens, n_flag - n_hyphens);
    nearest_try(&meant, "help");
    nearest_try(&meant, "version");
    for (size_t t = 0; t < TABLES_MAX; t++)
        for (const option_row *row = o->tables[t]; row && row->name; row++)
            nearest_try(&meant, row->name);
    int n_shown = bytes_shown(flag, n_flag);
    if (meant.name && meant.distance == 0 && n_hyphens == 2)
        return fail(f, STATUS_BAD_REQUEST, "--%s takes no value", meant.name);    /* --help=x */
    if (meant.name)
        return fail(f, STATUS_BAD_REQUEST, "unknown flag %.*s: did you mean --%s?", n_shown, flag,
                    meant.name);
    if (o->n_words_max > 0)
        return fail(f, STATUS_BAD_REQUEST, "unknown flag %.*s: see --help; before a text that begins "
                    "with a hyphen write --, after all flags", n_shown, flag);
    return fail(f, STATUS_BAD_REQUEST, "unknown flag %.*s: see --help", n_shown, flag);
}

/* --help or --version, or -h: printed. STATUS_OK when it is neither. */
static status tell(const options *o, const char *flag) {
    if (strcmp(flag, "--help") == 0 || strcmp(flag, "-h") == 0) print_help(o);
    else if (strcmp(flag, "--version") == 0) options_print_version(o->usage);
    else return STATUS_OK;
    return STATUS_NOT_FOUND;
}

/* A second value would replace the first one in silence. */
static status check_once(words_read *r, const option_row *row, failure *f) {
    if (!row->value_name || row->kind == OPTION_TEXTS || row->kind == OPTION_CALLS) return STATUS_OK;
    for (size_t i = 0; i < r->n_given; i++)
        if (r->given[i] == row)
            return fail(f, STATUS_BAD_REQUEST, "--%s is given twice; it is taken once", row->name);
    assert(r->n_given < ROWS_MAX);
    r->given[r->n_given++] = row;
    return STATUS_OK;
}

/* The value of a row that has one: what is attached to its name, else the next word, which is taken. */
static status take_value(words_read *r, const option_row *row, const char *attached, failure *f) {
    if (check_once(r, row, f) != STATUS_OK) return f->code;
    if (attached) return options_take(row, attached, f);
    if (r->at + 1 >= r->argc)
        return fail(f, STATUS_BAD_REQUEST, "--%s needs a value: --%s %s", row->name, row->name,
                    row->value_name);
    const char *value = r->argv[r->at + 1];
    if (!can_be_value(value))
        return fail(f, STATUS_BAD_REQUEST,
                    "--%s needs a value; one that begins with a hyphen is written --%s=%s",
                    row->name, row->name, value);
    r->at++;
    return options_take(row, value, f);
}

/* The flag that is read, with its value: moves to the last word it took. */
static status parse_flag(words_read *r, failure *f) {
    const char *flag = r->argv[r->at], *attached = NULL;
    const option_row *row;
    size_t n_flag = strlen(flag);
    if (strncmp(flag, "--", 2) == 0) {
        n_flag = strcspn(flag, "=");
        if (flag[n_flag] == '=') attached = flag + n_flag + 1;
        row = row_find(r->o, flag + 2, n_flag - 2);
    } else {
        row = letter_find(r->o, flag[1]);
        if (flag[2] == '=') attached = flag + 3;
        else if (isdigit((unsigned char)flag[2])) attached = flag + 2;
        else if (flag[2]) row = NULL;           /* "-model": a hyphen is missing */
    }
    if (!row && tell(r->o, flag) == STATUS_NOT_FOUND) return STATUS_NOT_FOUND;
    if (!row) return refuse_flag(r->o, flag, n_flag, f);
    if (row->value_name) return take_value(r, row, attached, f);
    if (attached) return fail(f, STATUS_BAD_REQUEST, "--%s takes no value", row->name);
    return options_take(row, NULL, f);
}

status options_parse(const options *o, int argc, char **argv, const char **words, size_t *n_words,
                     failure *f) {
    words_read r = {.o = o, .argc = argc, .argv = argv, .at = 1};
    bool flags_ended = false;
    *n_words = 0;
    for (; r.at < argc; r.at++) {
        const char *word = argv[r.at];
        if (!flags_ended && word[0] == '-' && word[1] != 0) {
            if (strcmp(word, "--") == 0) {
                flags_ended = true;
                continue;
            }
            status st = parse_flag(&r, f);
            if (st != STATUS_OK) return st;
            continue;
        }
        if (*n_words == o->n_words_max)
            return fail(f, STATUS_BAD_REQUEST, "unexpected \"%.*s\"; usage: %s",
                        bytes_shown(word, strlen(word)), word, o->usage);
        words[(*n_words)++] = word;
    }
    return STATUS_OK;
}
