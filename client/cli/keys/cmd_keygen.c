#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/command_table.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/lib/keygen.h"
#include "copies.h"

typedef struct keygen_flags {
    const char *folder;
    option_texts hosts;
    bool has_roles, roles[KEY_ROLES];
    bool is_operator, is_gateway;
    const char *revoked;
    bool has_rotated;
    key_role rotated;
    bool json;
} keygen_flags;

static status take_roles(void *out, const char *flag, const char *value, failure *f) {
    keygen_flags *flags = out;
    failure why;
    flags->has_roles = true;
    if (keygen_take_roles(flags->roles, value, &why) == STATUS_OK) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "--%s: %s", flag, why.message);
}

static status take_rotated(void *out, const char *flag, const char *value, failure *f) {
    keygen_flags *flags = out;
    failure why;
    flags->has_rotated = true;
    if (keygen_take_server(&flags->rotated, value, &why) == STATUS_OK) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "--%s: %s", flag, why.message);
}

/* ---- what was done ---- */

static json_t *paths_json(const keygen_report *r, key_change change) {
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_done; i++)
        if (r->done[i].change == change) json_array_append_new(list, json_text(r->done[i].path));
    return list;
}

static json_t *to_rotate_json(const keygen_report *r) {
    json_t *list = json_array();
    for (key_role role = 0; role < KEY_ROLES; role++)
        if (r->to_rotate[role]) json_array_append_new(list, json_string(key_role_name(role)));
    return list;
}

static json_t *kept_json(const keygen_report *r) {
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_kept; i++) {
        const key_kept *kept = &r->kept[i].what;
        json_t *roles = json_array(), *rights = json_array();
        for (key_role role = 0; role < KEY_ROLES; role++)
            if (kept->roles[role]) json_array_append_new(roles, json_string(key_role_name(role)));
        if (kept->rights.is_operator) json_array_append_new(rights, json_string("operator"));
        if (kept->rights.is_gateway) json_array_append_new(rights, json_string("gateway"));
        json_array_append_new(list, json_pack("{s: o, s: o, s: o}", "host", json_text(r->kept[i].host), "roles", roles,
                                              "rights", rights));
    }
    return list;
}

static json_t *report_json(const keygen_flags *flags, const keygen_report *r) {
    return json_pack("{s: o, s: o, s: o, s: o, s: o, s: o, s: o}",
                     "folder", json_text(flags->folder),
                     "made", paths_json(r, KEY_MADE),
                     "changed", paths_json(r, KEY_CHANGED),
                     "removed", paths_json(r, KEY_REMOVED),
                     "kept", kept_json(r),
                     "copy", copies_json(flags->folder, r, flags->hosts.items, flags->hosts.n_items),
                     "to_rotate", to_rotate_json(r));
}

/* What was not asked for, or no more. */
static void print_kept(const keygen_kept *kept) {
    const char *rights = key_rights_words(kept->what.rights);
    printf("%s keeps what it had besides:", kept->host);
    for (key_role role = 0; role < KEY_ROLES; role++)
        if (kept->what.roles[role]) printf(" %s", key_role_name(role));
    printf("%s%s; only --revoke %s, and a new part after it, takes that away\n", *rights ? " " : "", rights, kept->host);
}

/* What is to be done after this besides copying. */
static void print_next(const keygen_flags *flags, const keygen_report *r) {
    for (key_role role = 0; role < KEY_ROLES; role++)
        if (r->to_rotate[role])
            printf("%s has the server key of %s still: have another one with --rotate %s\n", flags->revoked,
                   key_role_name(role), key_role_name(role));
    if (!flags->has_rotated) return;
    const char *role = key_role_name(flags->rotated);
    if (r->is_rotated) printf("%s has its new server key\n", role);
    else printf("%s is to have another server key. The same command again puts it in place, but only once every host has "
                "its copy: one that has not would be shut out\n", role);
}

/* Of several hosts, which all have got the same, so that nobody takes a flag to be of the last one alone. */
static void print_given(const keygen_flags *flags) {
    const char *rights = key_rights_words((key_rights){.is_operator = flags->is_operator, .is_gateway = flags->is_gateway});
    if (flags->hosts.n_items < 2 || (!flags->has_roles && !*rights)) return;
    for (size_t i = 0; i < flags->hosts.n_items; i++) {
        printf("%s:", flags->hosts.items[i]);
        for (key_role role = 0; role < KEY_ROLES; role++)
            if (flags->roles[role]) printf(" %s", key_role_name(role));
        printf("%s%s\n", *rights ? " " : "", rights);
    }
}

static void print_report(const keygen_flags *flags, const keygen_report *r) {
    size_t n[KEY_REMOVED + 1] = {0};
    for (size_t i = 0; i < r->n_done; i++) n[r->done[i].change]++;
    if (r->n_done == 0) printf("%s: all is there, nothing was changed\n", flags->folder);
    else printf("%s: %zu files made, %zu changed, %zu removed\n", flags->folder, n[KEY_MADE], n[KEY_CHANGED],
                n[KEY_REMOVED]);
    print_given(flags);
    for (size_t i = 0; i < r->n_kept; i++) print_kept(&r->kept[i]);
    copies_print(flags->folder, r, flags->hosts.items, flags->hosts.n_items);
    print_next(flags, r);
}

/* ---- doing it ---- */

static status run_hosts(const keygen_flags *flags, keygen_report *report, failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < flags->hosts.n_items; i++) {
        keygen_order order = {
            .folder = flags->folder,
            .kind = KEYGEN_HOST,
            .host = {.name = flags->hosts.items[i], .has_roles = flags->has_roles,
                     .rights = {.is_operator = flags->is_operator, .is_gateway = flags->is_gateway}},
        };
        memcpy(order.host.roles, flags->roles, sizeof flags->roles);
        st = keygen_run(&order, report, f);
    }
    return st;
}

static status run(const keygen_flags *flags, keygen_report *report, failure *f) {
    keygen_order order = {.folder = flags->folder, .kind = KEYGEN_MAKE};
    if (flags->hosts.n_items > 0) return run_hosts(flags, report, f);
    if (flags->revoked) {
        order.kind = KEYGEN_REVOKE;
        order.revoked = flags->revoked;
    } else if (flags->has_rotated) {
        order.kind = KEYGEN_ROTATE;
        order.rotated = flags->rotated;
    }
    return keygen_run(&order, report, f);
}

static int keygen(const keygen_flags *flags) {
    keygen_report report = {0};
    failure f;
    status st = run(flags, &report, &f);
    int code = EXIT_FINE;
    if (st != STATUS_OK) code = outcome_failed(&f);
    else if (flags->json) code = json_print(report_json(flags, &report));
    else print_report(flags, &report);
    keygen_report_clear(&report);
    return code;
}

/* "keys/" is keys, in what is printed as well. Cut in place; "/" stays. */
static void trim_slashes(char *folder) {
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--) folder[n - 1] = '\0';
}

static int check(const keygen_flags *flags) {
    failure f;
    bool of_host = flags->has_roles || flags->is_operator || flags->is_gateway;
    if (!flags->folder || !*flags->folder)
        return outcome_wrong_use("a folder for the keys is missing, as in trivium keygen keys");
    if ((flags->hosts.n_items > 0) + (flags->revoked != NULL) + flags->has_rotated > 1)
        return outcome_wrong_use("--host, --revoke and --rotate each want a command of their own");
    if (of_host && flags->hosts.n_items == 0)
        return outcome_wrong_use("--roles, --operator and --gateway are of a --host NAME");
    for (size_t i = 0; i < flags->hosts.n_items; i++)
        if (key_set_check_name(flags->hosts.items[i], &f) != STATUS_OK)
            return outcome_wrong_use("--host: %s", f.message);
    if (flags->revoked && key_set_check_name(flags->revoked, &f) != STATUS_OK)
        return outcome_wrong_use("--revoke: %s", f.message);
    return -1;
}

int cmd_keygen(int argc, char **argv) {
    keygen_flags flags = {0};
    const option_row rows[] = {
        {.name = "host", .kind = OPTION_TEXTS, .value_name = "NAME", .out = &flags.hosts,
         .help = "make the part of another host, or of a client, in DIR/hosts/NAME; may be repeated, for hosts that get the same"},
        {.name = "roles", .kind = OPTION_CALL, .value_name = "LIST", .out = &flags, .take = take_roles,
         .help = "what runs on each --host: tokenizerd, modeld, samplerd, client, with commas between (all)"},
        {.name = "operator", .kind = OPTION_FLAG, .out = &flags.is_operator,
         .help = "keys of each --host see and change everybody's texts, and may drain and replace daemons"},
        {.name = "gateway", .kind = OPTION_FLAG, .out = &flags.is_gateway,
         .help = "keys of each --host may ask on behalf of owners whom they name"},
        {.name = "revoke", .kind = OPTION_TEXT, .value_name = "NAME", .out = &flags.revoked,
         .help = "authorise its keys no more, and delete its part"},
        {.name = "rotate", .kind = OPTION_CALL, .value_name = "ROLE", .out = &flags, .take = take_rotated,
         .help = "another server key for tokenizerd or modeld: first it is made known, the second time it takes its "
                 "place"},
        {.name = "json", .kind = OPTION_FLAG, .out = &flags.json, .help = "print JSON, one object a line"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium keygen DIR [flags]",
        .summary = "Make the keys that links over tcp:// want, in a folder for --keys; what is there already is kept. "
                   "Its own host's keys are an operator's. Then it says what is to be copied to which host.\n\n"
                   "  trivium keygen keys --host b\n"
                   "  trivium keygen keys --host laptop --roles client",
        .tables = {rows},
        .n_words_max = 1,
    };
    const char *folder = NULL;
    size_t n_words;
    int code = flags_parse(&o, argc, argv, &folder, &n_words);
    if (code >= 0) return code;
    flags.folder = folder;
    if ((code = check(&flags)) >= 0) return code;
    char *own = strdup(folder);
    if (!own) return outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for a folder's name"});
    trim_slashes(own);
    flags.folder = own;
    code = keygen(&flags);
    free(own);
    return code;
}
