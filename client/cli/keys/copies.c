#include "copies.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"

typedef struct copy {
    const char *host;
    bool has_secret;            /* another one of a server */
    bool is_gone;               /* its name was revoked */
} copy;

typedef struct copies {
    copy *all;                  /* [n], owned; room for one of each change and name */
    size_t n;
} copies;

static copy *find(copies *c, const char *host) {
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->all[i].host, host) == 0) return &c->all[i];
    c->all[c->n] = (copy){.host = host};
    return &c->all[c->n++];
}

static bool ends_with(const char *text, const char *end) {
    size_t n_text = strlen(text), n_end = strlen(end);
    return n_text >= n_end && strcmp(text + n_text - n_end, end) == 0;
}

static bool collect(copies *out, const keygen_report *r, const char *const *names, size_t n) {
    *out = (copies){.all = calloc(r->n_done + n + 1, sizeof *out->all)};
    if (!out->all) return false;
    for (size_t i = 0; i < n; i++) find(out, names[i]);
    for (size_t i = 0; i < r->n_done; i++) {
        const keygen_done *d = &r->done[i];
        const char *slash = strchr(d->part, '/');
        bool is_secret = ends_with(d->path, KEY_SECRET_SUFFIX);
        if (!slash) continue;
        copy *c = find(out, slash + 1);
        c->has_secret |= is_secret && d->change == KEY_CHANGED;
        c->is_gone |= is_secret && d->change == KEY_REMOVED;
    }
    size_t n_left = 0;
    for (size_t i = 0; i < out->n; i++)
        if (!out->all[i].is_gone) out->all[n_left++] = out->all[i];
    out->n = n_left;
    return true;
}

/* A word of a shell: as it is where nothing in it means more. */
static void print_word(const char *word) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/+,@:=-";
    if (*word && !word[strspn(word, plain)]) {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word; word++) {
        if (*word == '\'') fputs("'\\''", stdout);
        else putchar(*word);
    }
    putchar('\'');
}

/* Right whether a folder is there already or not, which is not known here; what was revoked must go there, too, and
 * nobody may read half a file. */
static void print_copy(const char *folder, const copy *c) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" KEY_HOSTS "/%s/", folder, c->host);
    fputs("  rsync -a --delete ", stdout);
    print_word(path);
    printf(" %s:keys/\n", c->host);
}

void copies_print(const char *folder, const keygen_report *r, const char *const *names, size_t n) {
    copies c;
    if (!collect(&c, r, names, n) || c.n == 0) {
        free(c.all);
        return;
    }
    puts("copy to the other hosts, where --keys names what is copied:");
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < c.n; i++)
            if (c.all[i].has_secret == (turn == 0)) print_copy(folder, &c.all[i]);
    free(c.all);
}

json_t *copies_json(const char *folder, const keygen_report *r, const char *const *names, size_t n) {
    copies c;
    json_t *list = json_array();
    bool fine = collect(&c, r, names, n) && list;
    for (size_t i = 0; fine && i < c.n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/" KEY_HOSTS "/%s", folder, c.all[i].host);
        json_t *one = json_pack("{s: o, s: o}", "host", json_text(c.all[i].host), "folder", json_text(path));
        fine = json_array_append_new(list, one) == 0;
    }
    free(c.all);
    if (fine) return list;
    json_decref(list);
    return NULL;
}
