/* What key_set.h promises: parts follow their set, nothing that is there is replaced, and what was interrupted is
 * completed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/net/keys/key_pair.h"
#include "proto/net/keys/key_set.h"
#include "proto/net/keys/key_write.h"
#include "tests/support/keys/set_folder.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static size_t n_told[KEY_REMOVED + 1];

static void count(void *context, key_change change, const char *path, const char *part) {
    (void)context;
    (void)part;
    assert_true(strncmp(path, set_folder, strlen(set_folder)) == 0);
    n_told[change]++;
}

static const key_set set = {.folder = set_folder, .told = count};

static int begin(void **state) {
    memset(n_told, 0, sizeof n_told);
    return set_folder_begin(state);
}

static mode_t mode_of(const char *name) {
    struct stat info;
    assert_int_equal(stat(at(name), &info), 0);
    return info.st_mode & 0777;
}

static void assert_done(status st) {
    assert_int_equal(st, STATUS_OK);
}

static key_kept host(const key_host *how) {
    failure f;
    key_kept kept;
    assert_done(key_set_host(&set, how, &kept, &f));
    return kept;
}

static void write_text(const char *name, const char *text) {
    FILE *to = fopen(at(name), "w");
    assert_non_null(to);
    fputs(text, to);
    assert_int_equal(fclose(to), 0);
}

static const key_host client = {.name = "laptop", .has_roles = true, .roles = {[ROLE_CLIENT] = true}};

/* ---- what is made ---- */

static void a_set_has_all_keys_and_its_host_is_an_operator(void **state) {
    (void)state;
    failure f;
    assert_done(key_set_make(&set, &f));
    assert_int_equal(n_told[KEY_MADE], 2 * 2 + 3 * 2 + 3);
    assert_one_key("server/tokenizerd.key", "server/tokenizerd.key_secret");
    assert_one_key("server/modeld.key", "server/modeld.key_secret");
    assert_one_key("own/client.key_secret", "authorised/text/admin.key");
    assert_one_key("own/modeld.key_secret", "authorised/tokens/admin.key");
    assert_one_key("own/samplerd.key_secret", "authorised/logits/admin.key");
    key_pair admin = pair_of("authorised/text/admin.key", false);
    assert_true(admin.rights.is_operator && !admin.rights.is_gateway);
    assert_int_equal(mode_of("own/client.key_secret"), 0600);
    assert_int_equal(mode_of("authorised/text"), 0700);
    assert_false(is_there(".lock"));
}

static void what_is_there_stays(void **state) {
    (void)state;
    failure f;
    assert_done(key_set_make(&set, &f));
    key_pair before = pair_of("own/client.key_secret", true);
    memset(n_told, 0, sizeof n_told);
    assert_done(key_set_make(&set, &f));
    assert_int_equal(n_told[KEY_MADE] + n_told[KEY_CHANGED] + n_told[KEY_REMOVED], 0);
    assert_int_equal(unlink(at("own/client.key")), 0);          /* made anew of the secret one */
    assert_int_equal(unlink(at("authorised/logits/admin.key")), 0);
    assert_done(key_set_make(&set, &f));
    assert_int_equal(n_told[KEY_MADE], 2);
    assert_string_equal(pair_of("own/client.key", false).public_key, before.public_key);
}

static void a_host_gets_what_its_roles_need(void **state) {
    (void)state;
    host(&(key_host){.name = "b"});
    assert_one_key("hosts/b/server/tokenizerd.key_secret", "server/tokenizerd.key");
    assert_one_key("hosts/b/server/modeld.key_secret", "server/modeld.key");
    assert_one_key("hosts/b/own/modeld.key_secret", "authorised/tokens/b.key");
    assert_one_key("hosts/b/authorised/tokens/b.key", "authorised/tokens/b.key");
    assert_one_key("hosts/b/authorised/text/admin.key", "own/client.key");
    assert_string_equal(key_rights_words(pair_of("authorised/text/b.key", false).rights), "");

    host(&client);
    assert_true(is_there("hosts/laptop/server/tokenizerd.key"));
    assert_false(is_there("hosts/laptop/server/tokenizerd.key_secret"));
    assert_false(is_there("hosts/laptop/authorised"));
    assert_false(is_there("hosts/laptop/own/modeld.key"));
    assert_true(is_there("hosts/b/authorised/text/laptop.key"));
    assert_false(is_there("authorised/tokens/laptop.key"));
}

static void a_host_gets_more_roles_and_rights_and_keeps_its_keys(void **state) {
    (void)state;
    host(&client);
    key_pair before = pair_of("hosts/laptop/own/client.key", false);
    key_host more = {.name = "laptop", .rights = {.is_gateway = true}};
    host(&more);                /* without roles: those that it has */
    assert_false(is_there("hosts/laptop/own/modeld.key"));
    assert_true(pair_of("authorised/text/laptop.key", false).rights.is_gateway);
    more = (key_host){.name = "laptop", .has_roles = true, .roles = {[ROLE_SAMPLERD] = true}};
    host(&more);                /* without rights: those that it has */
    assert_one_key("hosts/laptop/own/samplerd.key", "authorised/logits/laptop.key");
    assert_true(pair_of("authorised/text/laptop.key", false).rights.is_gateway);
    assert_string_equal(pair_of("authorised/text/laptop.key", false).public_key, before.public_key);
}

static void what_was_not_asked_for_again_is_kept_and_told(void **state) {
    (void)state;
    key_host wanted = {.name = "b", .rights = {.is_operator = true}};
    key_kept kept = host(&wanted);
    assert_false(kept.roles[ROLE_MODELD] || kept.rights.is_operator);
    wanted = (key_host){.name = "b", .has_roles = true, .roles = {[ROLE_CLIENT] = true}, .rights = {.is_gateway = true}};
    kept = host(&wanted);
    assert_true(kept.roles[ROLE_TOKENIZERD] && kept.roles[ROLE_MODELD] && kept.roles[ROLE_SAMPLERD]);
    assert_true(!kept.roles[ROLE_CLIENT] && kept.rights.is_operator && !kept.rights.is_gateway);
    assert_true(is_there("hosts/b/own/modeld.key_secret"));
    assert_string_equal(key_rights_words(pair_of("authorised/text/b.key", false).rights), "operator gateway");
    assert_string_equal(key_rights_words(pair_of("authorised/tokens/b.key", false).rights), "operator gateway");
    kept = host(&(key_host){.name = "b"});
    assert_true(!kept.roles[ROLE_MODELD] && kept.rights.is_operator && kept.rights.is_gateway);
}

static void a_public_key_put_there_by_hand_goes_to_all_parts(void **state) {
    (void)state;
    failure f;
    key_pair own;
    host(&(key_host){.name = "b"});
    assert_done(key_pair_make(&own, &f));
    assert_done(key_pair_write(&own, at("authorised/text/anna.key"), false, &f));
    assert_done(key_set_make(&set, &f));
    assert_string_equal(pair_of("hosts/b/authorised/text/anna.key", false).public_key, own.public_key);
}

/* ---- what is taken away, or replaced ---- */

static void revoking_takes_keys_out_everywhere(void **state) {
    (void)state;
    failure f;
    bool servers[KEY_ROLES];
    host(&(key_host){.name = "b"});
    host(&client);
    host(&(key_host){.name = "c"});
    assert_done(key_set_revoke(&set, "laptop", servers, &f));
    assert_false(servers[ROLE_TOKENIZERD] || servers[ROLE_MODELD]);
    assert_false(is_there("authorised/text/laptop.key") || is_there("hosts/b/authorised/text/laptop.key"));
    assert_false(is_there("hosts/laptop"));
    assert_done(key_set_revoke(&set, "b", servers, &f));
    assert_true(servers[ROLE_TOKENIZERD] && servers[ROLE_MODELD]);
    assert_false(is_there("hosts/b") || is_there("hosts/c/authorised/tokens/b.key"));
    assert_int_equal(key_set_revoke(&set, "b", servers, &f), STATUS_NOT_FOUND);
    assert_int_equal(key_set_revoke(&set, "admin", servers, &f), STATUS_BAD_REQUEST);
}

static void a_rotation_is_known_everywhere_before_it_holds(void **state) {
    (void)state;
    failure f;
    bool is_over;
    host(&(key_host){.name = "b"});
    host(&client);
    key_pair before = pair_of("server/tokenizerd.key_secret", true);
    assert_done(key_set_rotate(&set, ROLE_TOKENIZERD, &is_over, &f));
    assert_false(is_over);
    key_pair next = pair_of("server/tokenizerd.next.key_secret", true);
    assert_one_key("hosts/laptop/server/tokenizerd.next.key", "server/tokenizerd.next.key");
    assert_false(is_there("hosts/b/server/tokenizerd.next.key_secret"));
    assert_string_equal(pair_of("hosts/b/server/tokenizerd.key_secret", true).secret_key, before.secret_key);

    assert_done(key_set_rotate(&set, ROLE_TOKENIZERD, &is_over, &f));
    assert_true(is_over);
    assert_string_equal(pair_of("hosts/b/server/tokenizerd.key_secret", true).secret_key, next.secret_key);
    assert_string_equal(pair_of("hosts/laptop/server/tokenizerd.key", false).public_key, next.public_key);
    assert_false(is_there("server/tokenizerd.next.key") || is_there("server/tokenizerd.next.key_secret"));
    assert_false(is_there("hosts/laptop/server/tokenizerd.next.key"));
}

static void an_interrupted_rotation_is_ended_by_the_same_again(void **state) {
    (void)state;
    failure f;
    bool is_over;
    host(&(key_host){.name = "b"});
    assert_done(key_set_rotate(&set, ROLE_MODELD, &is_over, &f));
    key_pair next = pair_of("server/modeld.next.key_secret", true);
    assert_done(key_pair_write(&next, at("server/modeld.key_secret"), true, &f));       /* and there it broke off */
    assert_int_equal(key_set_make(&set, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "--rotate"));
    assert_done(key_set_rotate(&set, ROLE_MODELD, &is_over, &f));
    assert_true(is_over);
    assert_one_key("server/modeld.key", "hosts/b/server/modeld.key_secret");
}

/* ---- what is refused ---- */

static void refused(status expected, const char *word) {
    failure f;
    assert_int_equal(key_set_make(&set, &f), expected);
    assert_non_null(strstr(f.message, word));
}

static void a_set_that_is_half_there(void **state) {
    (void)state;
    failure f;
    assert_done(key_set_make(&set, &f));
    assert_int_equal(unlink(at("server/modeld.key_secret")), 0);
    refused(STATUS_BAD_REQUEST, "server/modeld.key is there without its secret half");
}

static void files_that_are_no_keys(void **state) {
    (void)state;
    failure f;
    assert_done(key_set_make(&set, &f));
    write_text("authorised/text/admin.key", "curve\n    public-key = \"short\"\n");
    refused(STATUS_IO, "admin.key has no public key");
    write_text("authorised/text/admin.key", "\x01\x02\n");
    refused(STATUS_IO, "admin.key has no public key");
    assert_int_equal(truncate(at("authorised/text/admin.key"), KEY_FILE_BYTES_MAX + 1), 0);
    refused(STATUS_IO, "too large");
    assert_int_equal(unlink(at("authorised/text/admin.key")), 0);
    assert_int_equal(mkfifo(at("authorised/text/admin.key"), 0600), 0);
    refused(STATUS_IO, "not a file");
}

static void rights_that_are_none(void **state) {
    (void)state;
    failure f;
    key_pair pair;
    assert_done(key_set_make(&set, &f));
    write_text("authorised/text/anna.key", "metadata\n    rights = \"operator king\"\ncurve\n"
                                           "    public-key = \"f?IFE)ihn&w<m}>hN.pR[M^.OV=w>3P&=KcfHMr%\"\n");
    assert_int_equal(key_pair_read_public(&pair, at("authorised/text/anna.key"), &f), STATUS_IO);
    assert_non_null(strstr(f.message, "\"king\" is no right"));
}

static void folders_and_secrets_that_others_reach(void **state) {
    (void)state;
    failure f;
    assert_done(key_set_make(&set, &f));
    assert_int_equal(chmod(at("own/client.key_secret"), 0640), 0);
    refused(STATUS_FORBIDDEN, "chmod 600");
    assert_int_equal(chmod(at("own/client.key_secret"), 0600), 0);
    assert_int_equal(chmod(at("authorised/tokens"), 0770), 0);
    refused(STATUS_FORBIDDEN, "others may write");
    assert_int_equal(chmod(at("authorised/tokens"), 0700), 0);
    assert_int_equal(chmod(set_folder, 0702), 0);
    refused(STATUS_FORBIDDEN, "others may write");
    assert_int_equal(chmod(set_folder, 0700), 0);
}

static void names_that_lead_elsewhere(void **state) {
    (void)state;
    static const char *const names[] = {"", "a/b", "..", ".hidden", "-x", "a b", "b\n", "\xc3\xa9", "admin",
        "a12345678901234567890123456789012345678901234567890123456789012345"};
    failure f;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(key_set_host(&set, &(key_host){.name = names[i]}, &(key_kept){0}, &f), STATUS_BAD_REQUEST);
    assert_false(is_there("server"));
}

static void a_folder_of_other_things(void **state) {
    (void)state;
    write_text("letter.txt", "Dear all");
    refused(STATUS_BAD_REQUEST, "other things");
    assert_false(is_there("server"));
}

static void another_key_under_the_name(void **state) {
    (void)state;
    failure f;
    key_pair other;
    assert_done(key_set_make(&set, &f));
    assert_done(key_pair_make(&other, &f));
    assert_done(key_pair_write(&other, at("authorised/text/laptop.key"), false, &f));
    assert_int_equal(key_set_host(&set, &client, &(key_kept){0}, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "another key under that name"));
}

static void a_full_disk_leaves_what_was_there(void **state) {
    (void)state;
    failure f;
    key_pair pair;
    host(&(key_host){.name = "b"});
    key_pair before = pair_of("server/modeld.key_secret", true);
    struct rlimit limit, little = {.rlim_cur = 100};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    little.rlim_max = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_done(key_pair_make(&pair, &f));
    status st = key_pair_write(&pair, at("server/modeld.key_secret"), true, &f);
    status made = key_set_host(&set, &client, &(key_kept){0}, &(failure){STATUS_OK, ""});
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(st, STATUS_IO);
    assert_int_equal(made, STATUS_IO);
    assert_non_null(strstr(f.message, "cannot write"));
    assert_string_equal(pair_of("server/modeld.key_secret", true).secret_key, before.secret_key);
    host(&client);              /* completed when there is room */
    assert_one_key("hosts/laptop/own/client.key", "hosts/b/authorised/text/laptop.key");
}

int main(void) {
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, set_folder_end)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_set_has_all_keys_and_its_host_is_an_operator),
        IN_A_FOLDER(what_is_there_stays),
        IN_A_FOLDER(a_host_gets_what_its_roles_need),
        IN_A_FOLDER(a_host_gets_more_roles_and_rights_and_keeps_its_keys),
        IN_A_FOLDER(what_was_not_asked_for_again_is_kept_and_told),
        IN_A_FOLDER(a_public_key_put_there_by_hand_goes_to_all_parts),
        IN_A_FOLDER(revoking_takes_keys_out_everywhere),
        IN_A_FOLDER(a_rotation_is_known_everywhere_before_it_holds),
        IN_A_FOLDER(an_interrupted_rotation_is_ended_by_the_same_again),
        IN_A_FOLDER(a_set_that_is_half_there),
        IN_A_FOLDER(files_that_are_no_keys),
        IN_A_FOLDER(rights_that_are_none),
        IN_A_FOLDER(folders_and_secrets_that_others_reach),
        IN_A_FOLDER(names_that_lead_elsewhere),
        IN_A_FOLDER(a_folder_of_other_things),
        IN_A_FOLDER(another_key_under_the_name),
        IN_A_FOLDER(a_full_disk_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
