/* Where a client looks for a tokenizerd: addresses of several endpoints in turn, as names gain and lose them. */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/lib/link/places.h"
#include "proto/base/limits.h"
#include "tests/support/link/name_server.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static loop *l;
static places *under_test;
static size_t n_changes;

static void on_changed(void *unused) {
    (void)unused;
    n_changes++;
}

static int begin(void **state) {
    (void)state;
    name_server_begin();
    n_changes = 0;
    l = loop_new();
    return l ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    places_free(&under_test);
    loop_free(&l);
    return 0;
}

static void look_at(size_t n, const char *const *endpoints) {
    under_test = places_new(l, endpoints, n, on_changed, NULL);
    assert_non_null(under_test);
}

static void until_changes(size_t n) {
    assert_true(turns_until_count(l, &n_changes, n));
}

static void assert_explained(const char *wanted) {
    char said[1024];
    places_explain(under_test, said, sizeof said);
    assert_string_equal(said, wanted);
}

static void numbers_have_their_turns_in_order(void **state) {
    (void)state;
    static const char *const endpoints[] = {"tcp://10.0.0.1:1", "ipc:///run/there"};
    look_at(2, endpoints);
    assert_true(places_are_several(under_test));
    assert_int_equal(places_count(under_test), 2);
    assert_string_equal(places_now(under_test), "tcp://10.0.0.1:1");
    assert_true(places_next(under_test));
    assert_string_equal(places_now(under_test), "ipc:///run/there");
    assert_true(places_next(under_test));
    assert_string_equal(places_now(under_test), "tcp://10.0.0.1:1");
    char said[64];
    places_list(under_test, said, sizeof said);
    assert_string_equal(said, "tcp://10.0.0.1:1 or ipc:///run/there");
}

static void one_place_is_the_next_of_itself(void **state) {
    (void)state;
    static const char *const same[] = {"tcp://10.0.0.1:1", "tcp://10.0.0.1:1"};
    look_at(2, same);
    assert_false(places_are_several(under_test));
    assert_false(places_next(under_test));
    assert_string_equal(places_now(under_test), "tcp://10.0.0.1:1");
}

/* Until its name is known an endpoint has no turn. */
static void all_addresses_of_a_name_have_turns(void **state) {
    (void)state;
    static const char *const endpoints[] = {"tcp://name:1", "tcp://10.0.0.9:1"};
    name_server_says(0, LIST("10.0.0.1", "fd00::1"));
    look_at(2, endpoints);
    assert_string_equal(places_now(under_test), "tcp://10.0.0.9:1");
    until_changes(1);
    assert_string_equal(places_now(under_test), "tcp://10.0.0.9:1");
    static const char *const turns[] = {"tcp://10.0.0.1:1", "tcp://[fd00::1]:1", "tcp://10.0.0.9:1"};
    for (size_t i = 0; i < 6; i++) {
        assert_true(places_next(under_test));
        assert_string_equal(places_now(under_test), turns[i % 3]);
    }
}

static void an_address_that_is_gone_is_no_place(void **state) {
    (void)state;
    static const char *const endpoints[] = {"tcp://name:1"};
    name_server_says(0, LIST("10.0.0.1"));
    look_at(1, endpoints);
    assert_null(places_now(under_test));
    assert_false(places_next(under_test));
    until_changes(1);
    assert_true(places_next(under_test));
    name_server_says(0, LIST("10.0.0.2"));
    places_ask(under_test);
    until_changes(2);
    assert_null(places_now(under_test));
    assert_true(places_next(under_test));
    assert_string_equal(places_now(under_test), "tcp://10.0.0.2:1");
}

static void what_is_known_of_each_is_told(void **state) {
    (void)state;
    static const char *const endpoints[] = {"tcp://10.0.0.1:1", "ipc:///run/there", "tcp://name:1"};
    name_server_says(EAI_NONAME, 0, NULL);
    look_at(3, endpoints);
    places_reached(under_test, REACH_REFUSED);
    places_next(under_test);
    places_reached(under_test, REACH_SILENT);
    assert_explained("tcp://10.0.0.1:1: the connection was refused (nothing listens there, or the host is out of reach); nor at "
                     "ipc:///run/there: what listens there says nothing; nor at tcp://name:1: the name of the host does not "
                     "resolve (no name server answers)");
    until_changes(1);
    places_reached(under_test, REACH_NO_HANDSHAKE);
    places_next(under_test);
    places_reached(under_test, REACH_NO_HANDSHAKE);
    assert_explained("tcp://10.0.0.1:1: the connection was ended before a word was said (its key is another one, ours is not "
                     "known there, one side has keys and the other none, or it is no tokenizerd); nor at ipc:///run/there: what listens there is no tokenizerd; nor "
                     "at tcp://name:1: the name of the host does not resolve");
    assert_false(places_none_exists(under_test));
    assert_true(places_next(under_test));
    places_reached(under_test, REACH_FORBIDDEN);
    assert_explained("tcp://10.0.0.1:1: the connection was ended before a word was said (its key is another one, ours is not "
                     "known there, one side has keys and the other none, or it is no tokenizerd); nor at ipc:///run/there: no "
                     "permission to connect: the socket or its folder lets this user not in; start daemons of your own with "
                     "`trivium up`, or name others with --endpoint or TRIVIUM_ENDPOINT; nor at tcp://name:1: the name of the "
                     "host does not resolve");
}

/* While one still waits: nothing is said where nothing is known. */
static void what_is_known_so_far_is_told_briefly(void **state) {
    (void)state;
    static const char *const endpoints[] = {"tcp://10.0.0.1:1", "ipc:///run/there", "tcp://name:1"};
    char told[1024];
    name_server_says(EAI_NONAME, 0, NULL);
    look_at(3, endpoints);
    places_list_known(under_test, told, sizeof told);
    assert_string_equal(told, "tcp://10.0.0.1:1 or ipc:///run/there or tcp://name:1");
    places_reached(under_test, REACH_NO_HANDSHAKE);
    places_next(under_test);
    places_reached(under_test, REACH_REFUSED);
    until_changes(1);
    places_list_known(under_test, told, sizeof told);
    assert_string_equal(told, "tcp://10.0.0.1:1 (no handshake: its keys or ours do not fit, or one side has keys and the other none) "
                        "or ipc:///run/there (nothing listens there) or tcp://name:1 (the name of the host does not resolve)");
}

static void names_that_do_not_exist_are_known(void **state) {
    (void)state;
    static const char *const endpoints[] = {"tcp://name:1", "tcp://other:1"};
    name_server_says(EAI_AGAIN, 0, NULL);
    look_at(2, endpoints);
    until_changes(2);
    assert_false(places_none_exists(under_test));   /* nobody said so */
    name_server_says(EAI_NONAME, 0, NULL);
    until_changes(4);
    assert_true(places_none_exists(under_test));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(numbers_have_their_turns_in_order),
        TEST(one_place_is_the_next_of_itself),
        TEST(all_addresses_of_a_name_have_turns),
        TEST(an_address_that_is_gone_is_no_place),
        TEST(what_is_known_of_each_is_told),
        TEST(what_is_known_so_far_is_told_briefly),
        TEST(names_that_do_not_exist_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
