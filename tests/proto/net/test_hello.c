/* What a Hello may say, and that a command line refuses what a peer would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/net/hello.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

/* What the receiving side says of a samplerd with this name and pool. */
static status heard(const char *name, const char *pool) {
    char host[HOST_BYTES];
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
    hello_fill(&hello, host);
    hello.name = (char *)name;
    offer.pool = (char *)pool;
    offer.semantics = (char *)"test/1";
    hello.sampler = &offer;
    return hello_check(&hello, &f);
}

static void what_a_peer_refuses_the_command_line_refuses(void **state) {
    (void)state;
    char longest[NAME_BYTES_MAX + 1], longer[NAME_BYTES_MAX + 2];
    memset(longest, 'x', NAME_BYTES_MAX), longest[NAME_BYTES_MAX] = 0;
    memset(longer, 'x', NAME_BYTES_MAX + 1), longer[NAME_BYTES_MAX + 1] = 0;
    const char *const names[] = {"a", "a b", "\u00fcber", longest, longer, "a\tb", "a\nb", "\x1b[1m", "a\x7f",
                                 "\xc2\x85", "\xff", "\xc3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *name = NULL, *pool = NULL;
        status said = heard(names[i], ""), of_pool = heard("a", names[i]);
        assert_int_equal(said, i < 4 ? STATUS_OK : STATUS_BAD_REQUEST);
        assert_int_equal(of_pool, said);
        assert_int_equal(hello_take_name(&name, "name", names[i], &f), said);
        assert_int_equal(hello_take_pool(&pool, "pool", names[i], &f), said);
        assert_ptr_equal(name, said == STATUS_OK ? names[i] : NULL);
        assert_ptr_equal(pool, name);
    }
}

static void an_empty_pool_is_the_default_and_an_empty_name_is_none(void **state) {
    (void)state;
    const char *out = NULL;
    assert_int_equal(hello_take_pool(&out, "pool", "", &f), STATUS_OK);
    assert_string_equal(out, "");
    assert_int_equal(hello_take_name(&out, "name", "", &f), STATUS_BAD_REQUEST);
}

static void a_host_is_told_as_any_peer_takes_it(void **state) {
    (void)state;
    char host[HOST_BYTES];
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello_fill(&hello, host);
    assert_ptr_equal(hello.host, host);
    assert_true(strlen(host) < NAME_BYTES_MAX);
    assert_int_equal(hello_check(&hello, &f), STATUS_OK);
    assert_int_equal(hello.version, PROTOCOL_VERSION_MAX);
    assert_int_equal(hello.version_oldest, PROTOCOL_VERSION_MIN);
    assert_int_equal(hello_version(&hello), PROTOCOL_VERSION_MAX);
    assert_true(hello.pid > 0);
}

/* The sentence that a peer of these versions gets. */
static const char *refusal_of(uint32_t newest, uint32_t oldest) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello.version = newest;
    hello.version_oldest = oldest;
    assert_int_equal(hello_version(&hello), 0);
    assert_int_equal(hello_check(&hello, &f), STATUS_BAD_VERSION);
    return f.message;
}

static uint32_t spoken_with(uint32_t newest, uint32_t oldest) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello.version = newest;
    hello.version_oldest = oldest;
    assert_int_equal(hello_check(&hello, &f), STATUS_OK);
    return hello_version(&hello);
}

static void the_newest_version_of_both_sides_is_spoken(void **state) {
    (void)state;
    const uint32_t oldest = PROTOCOL_VERSION_MIN, newest = PROTOCOL_VERSION_MAX;
    assert_int_equal(spoken_with(newest, 0), newest);
    assert_int_equal(spoken_with(newest, oldest), newest);
    assert_int_equal(spoken_with(newest + 1, newest), newest);
    assert_int_equal(spoken_with(newest + 1, 1), newest);
    assert_int_equal(spoken_with(oldest, 1), oldest);
    assert_int_equal(spoken_with(UINT32_MAX, 1), newest);
}

static void ranges_that_do_not_meet_are_told_with_both(void **state) {
    (void)state;
    char ours[64];
    if (PROTOCOL_VERSION_MIN == PROTOCOL_VERSION_MAX) snprintf(ours, sizeof ours, "only %d", PROTOCOL_VERSION_MAX);
    else snprintf(ours, sizeof ours, "only %d to %d", PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX);
    assert_non_null(strstr(refusal_of(1, 0), "protocol version 1 is not spoken here"));
    assert_non_null(strstr(f.message, ours));
    assert_non_null(strstr(refusal_of(99, 98), "protocol versions 98 to 99 are not spoken here"));
    assert_non_null(strstr(f.message, ours));
    refusal_of(PROTOCOL_VERSION_MAX + 1, 0);    /* that one alone */
    refusal_of(0, 0);
    refusal_of(PROTOCOL_VERSION_MAX, UINT32_MAX);   /* a range that ends before it begins */
    assert_non_null(strstr(f.message, "4294967295, is newer than its newest"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_peer_refuses_the_command_line_refuses),
        cmocka_unit_test(an_empty_pool_is_the_default_and_an_empty_name_is_none),
        cmocka_unit_test(the_newest_version_of_both_sides_is_spoken),
        cmocka_unit_test(ranges_that_do_not_meet_are_told_with_both),
        cmocka_unit_test(a_host_is_told_as_any_peer_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
