/* What samplerd's log says of a step: whose it is, and of which trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/log_catch.h"
#include "tests/support/samplerd/logits_scene.h"
#include "tests/support/traceparents.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

/* What is logged while the order is answered, at this level. */
static const char *logged_by(order *o, log_level level) {
    log_catch("samplerd", level);
    order_answer(o);
    log_catch_end();
    return log_caught();
}

static void is_logged(order *o, log_level level, const char *words) {
    const char *lines = logged_by(o, level);
    if (!strstr(lines, words)) fail_msg("no \"%s\" in: %s", words, lines);
}

static void an_id_is_logged_with_its_trace(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.traceparent = (char *)SOME_TRACEPARENT;
    is_logged(&o, LOG_DEBUG, " trace=" SOME_TRACE_ID " modeld=");
    is_logged(&o, LOG_DEBUG, " samplerd drawn request=");
    o.sample.traceparent = (char *)LATER_TRACEPARENT;
    is_logged(&o, LOG_DEBUG, " trace=" SOME_TRACE_ID " modeld=");
    assert_string_equal(logged_by(&o, LOG_INFO), "");
}

static void so_is_a_refusal(void **state) {
    (void)state;
    scene_accept();
    order o = order_good();
    o.sample.seed = SEED_MAX;
    o.sample.traceparent = (char *)SOME_TRACEPARENT;
    is_logged(&o, LOG_INFO, " samplerd refused request=");
    is_logged(&o, LOG_INFO, " trace=" SOME_TRACE_ID " modeld=");
    assert_string_equal(logged_by(&o, LOG_ERROR), "");
}

/* Nothing is drawn by it: what is malformed is no reason to refuse, and stays out of the log. */
static void what_is_no_traceparent_is_not_logged(void **state) {
    (void)state;
    static const char *const none[] = {"", NO_TRACEPARENT, "x trace=0 why=\"\n"};
    scene_accept();
    order o = order_good();
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        o.sample.traceparent = (char *)none[i];
        is_logged(&o, LOG_DEBUG, " drawn request=");
        assert_null(strstr(logged_by(&o, LOG_DEBUG), "trace="));
    }
    assert_int_equal(scene.sampler.n_calls, 2 * sizeof none / sizeof *none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_logged_with_its_trace),
        TEST(so_is_a_refusal),
        TEST(what_is_no_traceparent_is_not_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
