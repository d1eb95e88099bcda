#include "term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "proto/base/options.h"
#include "proto/base/text.h"

enum { COLUMNS_USUAL = 80, COLUMNS_MAX = 10000 };

/* ---- cells ---- */

void term_use_utf8(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

size_t term_character(const char *text, size_t *n_cells) {
    wchar_t character;
    size_t n_bytes = mbrtowc(&character, text, MB_CUR_MAX, &(mbstate_t){0});
    *n_cells = 1;
    if (n_bytes == 0 || n_bytes > MB_CUR_MAX) return 1;     /* no character: one cell a byte */
    int width = wcwidth(character);
    if (width >= 0) *n_cells = (size_t)width;   /* else newer than the C library: most take one */
    return n_bytes;
}

size_t term_width(const char *text) {
    size_t width = 0, n_cells;
    for (const char *at = text; *at; width += n_cells) at += term_character(at, &n_cells);
    return width;
}

size_t term_fit(const char *text, size_t n_cells, size_t *width) {
    size_t n_fit = 0;
    *width = 0;
    while (text[n_fit]) {
        size_t more, n_bytes = term_character(text + n_fit, &more);
        if (*width + more > n_cells) break;
        *width += more;
        n_fit += n_bytes;
    }
    return n_fit;
}

void term_cell(FILE *to, const char *text, size_t n_cells) {
    size_t width, n_bytes = term_fit(text, n_cells, &width);
    bool is_cut = text[n_bytes] != '\0';
    if (is_cut) n_bytes = term_fit(text, n_cells - 1, &width);
    fwrite(text, 1, n_bytes, to);
    if (is_cut) fputs("\u2026", to);
    fprintf(to, "%*s", (int)(n_cells - width - is_cut), "");
}

/* The bytes of the escape sequence at the beginning of a text, as ESC [ 36 m; 0: there is none. */
static size_t sequence_bytes(const char *text) {
    if (text[0] != '\033' || text[1] != '[') return 0;
    size_t n_bytes = 2 + strspn(text + 2, "0123456789;?");
    return text[n_bytes] ? n_bytes + 1 : n_bytes;
}

/* The cells of a line with escape sequences, which take none. */
static size_t line_width(const char *line) {
    size_t width = 0;
    while (*line && *line != '\n') {
        size_t n_cells = 0, n_sequence = sequence_bytes(line);
        line += n_sequence ? n_sequence : term_character(line, &n_cells);
        width += n_cells;
    }
    return width;
}

size_t term_line(FILE *to, const char *line, size_t n_columns) {
    const size_t n_line = line_width(line);
    bool is_long = n_line > n_columns, is_cut = false;
    size_t n_room = is_long ? n_columns - 1 : n_columns, width = 0;
    while (*line && *line != '\n') {
        size_t n_cells = 0, n_sequence = sequence_bytes(line);
        size_t n_bytes = n_sequence ? n_sequence : term_character(line, &n_cells);
        if (!is_cut && width + n_cells > n_room) {
            fputs("\u2026", to);
            is_cut = true;
        }
        if (n_sequence || !is_cut) fwrite(line, 1, n_bytes, to);
        width += n_cells;
        line += n_bytes;
    }
    return is_long ? n_columns : n_line;
}

size_t term_columns(FILE *to) {
    const char *told = getenv("COLUMNS");
    unsigned long long n;
    struct winsize size;
    if (told && options_uint(told, &n) && n > 0 && n <= COLUMNS_MAX) return (size_t)n;
    if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return COLUMNS_USUAL;
}

size_t term_room(FILE *to) {
    return isatty(fileno(to)) ? term_columns(to) : SIZE_MAX;
}

/* ---- colour and bars ---- */

bool term_has_colour(FILE *to) {
    const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
    if (no_colour && *no_colour) return false;
    return kind && strcmp(kind, "dumb") != 0 && isatty(fileno(to));
}

void term_bar(FILE *to, double probability, size_t n_cells, bool colour) {
    double length = probability * (double)n_cells;
    if (!(length >= 1)) return;         /* nor what is no number */
    size_t n = probability < 1 ? (size_t)length : n_cells;
    if (colour) fputs(TERM_CYAN, to);
    for (size_t i = 0; i < n; i++) fputs("\u2588", to);
    if (colour) fputs(TERM_PLAIN, to);
}

void term_dim_begin(FILE *to, bool colour) {
    if (colour) fputs(TERM_DIM, to);
}

void term_dim_end(FILE *to, bool colour) {
    if (colour) fputs(TERM_PLAIN, to);
}

/* ---- bytes from elsewhere ---- */

/* The bytes of the control character at the beginning of UTF-8 text; 0: another character. */
static size_t control_bytes(const uint8_t *bytes) {
    if (*bytes < ' ' || *bytes == 0x7F) return 1;
    return bytes[0] == 0xC2 && bytes[1] < 0xA0 ? 2 : 0;
}

static size_t escape(char *out, const uint8_t *bytes, size_t n_bytes) {
    size_t n_out = 0;
    for (size_t i = 0; i < n_bytes; i++) n_out += (size_t)sprintf(out + n_out, "\\x%02x", bytes[i]);
    return n_out;
}

static char *plain(const uint8_t *bytes, size_t n_bytes, char tab) {
    size_t n_whole, n_out = 0;
    char *whole = text_replace_ill_formed(bytes, n_bytes, &n_whole);
    char *out = whole ? malloc(4 * n_whole + 1) : NULL;
    for (size_t i = 0; out && i < n_whole; i++) {
        const uint8_t *at = (const uint8_t *)whole + i;
        size_t n_control = *at == '\n' ? 0 : control_bytes(at);
        if (*at == '\t') out[n_out++] = tab;
        else if (n_control == 0) out[n_out++] = (char)*at;
        else n_out += escape(out + n_out, at, n_control);
        if (n_control > 1) i++;
    }
    if (out) out[n_out] = '\0';
    free(whole);
    return out;
}

char *term_plain(const uint8_t *bytes, size_t n_bytes) {
    return plain(bytes, n_bytes, ' ');
}

char *term_harmless(const uint8_t *bytes, size_t n_bytes) {
    return plain(bytes, n_bytes, '\t');
}

static size_t quote_byte(char *out, uint8_t byte, bool escape_high) {
    static const char letters[] = "abtnvfr";    /* of the bytes 7 … 13 */
    if (byte == '"' || byte == '\\') return (size_t)sprintf(out, "\\%c", byte);
    if (byte >= 7 && byte <= 13) return (size_t)sprintf(out, "\\%c", letters[byte - 7]);
    if (byte < ' ' || byte == 0x7F || (escape_high && byte >= 0x80)) return escape(out, &byte, 1);
    *out = (char)byte;
    return 1;
}

char *term_quote(const uint8_t *bytes, size_t n_bytes) {
    char *out = malloc(4 * n_bytes + 3);
    if (!out) return NULL;
    bool escape_high = !text_is_utf8(bytes, n_bytes);
    size_t n_out = 0;
    out[n_out++] = '"';
    for (size_t i = 0; i < n_bytes; i++) {
        size_t n_long = escape_high ? 0 : text_reorders(bytes + i) ? 3 : control_bytes(bytes + i);
        if (n_long > 1) n_out += escape(out + n_out, bytes + i, n_long);
        else n_out += quote_byte(out + n_out, bytes[i], escape_high);
        if (n_long > 1) i += n_long - 1;
    }
    out[n_out++] = '"';
    out[n_out] = '\0';
    return out;
}
