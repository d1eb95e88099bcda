/* missing.h: the sentence that tells why nobody serves a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/models/model_at_hand.h"
#include "tokenizerd/route/missing.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const join_place here = {.address = "ipc:///run/models", .host = "b"};

static int setup(void **state) {
    *state = models_new();
    return *state == NULL;
}

static int teardown(void **state) {
    models_free((models **)state);
    return 0;
}

static void test_what_is_missing_is_named(void **state) {
    models *ms = *state;
    failure f;
    assert_int_equal(missing_model(ms, &here, "", "", 10000, &f), STATUS_NO_MODELD);
    assert_string_equal(f.message,
                        "no modeld has joined within 10 s; start one on host b with: "
                        "modeld --model FILE --join ipc:///run/models");
    assert_int_equal(missing_model(ms, &here, "x", "", 500, &f), STATUS_NO_MODELD);
    assert_non_null(strstr(f.message, "'x'"));
    assert_non_null(strstr(f.message, "0.5 s"));
    /* 1 ms is what a client says that does not wait. */
    assert_int_equal(missing_model(ms, &here, "", "", 1, &f), STATUS_NO_MODELD);
    assert_non_null(strstr(f.message, "no modeld has joined within 0 s; "));

    modeld *loading = served_join(ms, "slow", "f1", "v1");
    assert_int_equal(missing_model(ms, &here, "slow", "", 10, &f), STATUS_NO_MODELD);
    models_leave(&loading);
    model_at_hand(ms, "a", "f1");
    model_at_hand(ms, "b", "f2");
    assert_int_equal(missing_model(ms, &here, "x", "", 10, &f), STATUS_UNKNOWN_MODEL);
    assert_non_null(strstr(f.message, "'a', 'b'"));
    assert_int_equal(missing_model(ms, &here, "a", "f9", 10, &f), STATUS_UNKNOWN_MODEL);
    assert_string_equal(f.message,
                        "'a' is another file now than the one with which this began (fingerprint f9), and no modeld of that "
                        "one has taken it within 0.01 s; ask anew, or for that file start one on host b with: "
                        "modeld --model THAT-FILE --name OTHER-NAME --join ipc:///run/models");
    assert_int_equal(missing_model(ms, &here, "", "f9", 10, &f), STATUS_UNKNOWN_MODEL);
    assert_int_equal(missing_modeld(ms, models_first(ms), &here, 10, &f), STATUS_NO_MODELD);
}

static void test_who_is_to_join_over_tcp_is_told_where(void **state) {
    models *ms = *state;
    failure f;
    missing_model(ms, &(join_place){"tcp://10.0.0.2:5556", "b", true}, "", "", 500, &f);
    assert_non_null(strstr(f.message, "start one with: modeld --model FILE --join tcp://10.0.0.2:5556 --keys DIR"));
    missing_model(ms, &(join_place){"tcp://0.0.0.0:5556", "b", false}, "x", "", 500, &f);
    assert_non_null(strstr(f.message, "--name x --join tcp://HOST:5556"));
    missing_model(ms, &(join_place){"tcp://[::]:5556", "b", false}, "", "", 500, &f);
    assert_non_null(strstr(f.message, "--join tcp://HOST:5556"));
}

static void test_a_default_model_that_is_missing_is_named(void **state) {
    models *ms = *state;
    failure f;
    modeld *early = served_join(ms, "early", "f0", "v0");
    assert_int_equal(missing_model(ms, &here, "", "", 500, &f), STATUS_NO_MODELD);
    assert_non_null(strstr(f.message, "default is not known"));
    assert_non_null(strstr(f.message, "there are: 'early'"));
    models_leave(&early);
    default_model_set(models_default(ms), "a");
    assert_int_equal(missing_model(ms, &here, "", "", 500, &f), STATUS_NO_MODELD);
    assert_non_null(strstr(f.message, "no modeld of the default model 'a'"));
    assert_non_null(strstr(f.message, "--name a"));
    model_at_hand(ms, "b", "f1");
    model_at_hand(ms, "c", "f2");
    assert_int_equal(missing_model(ms, &here, "", "", 500, &f), STATUS_NO_MODELD);
    assert_string_equal(f.message, "the default model 'a' is not here and has not come within 0.5 s; --model "
                        "names another one, tokenizerd --default-model sets another default; there are: 'b', 'c'");
    served_join(ms, "a", "f3", "slow");
    assert_int_equal(missing_model(ms, &here, "", "", 500, &f), STATUS_NO_MODELD);
    assert_non_null(strstr(f.message, "the modeld of 'a' has not brought its whole vocabulary"));
}

#define AWAITS(name, fingerprint, sentence)                          \
    do {                                                                                                               \
        char told[AWAITED_BYTES];                                                                                      \
        awaited_model(ms, (name), (fingerprint), 2500, told);                                                          \
        assert_string_equal(told, (sentence));                                                                         \
    } while (0)

static void test_what_is_awaited_is_named(void **state) {
    models *ms = *state;
    AWAITS("", "", "waiting for a modeld, for up to 2.5 s; none is here");
    AWAITS("x", "", "waiting for a modeld of 'x', for up to 2.5 s; none is here");
    modeld *early = served_join(ms, "early", "f0", "v0");
    AWAITS("", "", "waiting for a modeld, or until the default model is known, for up to 2.5 s; there are: 'early'");
    AWAITS("early", "", "waiting for the vocabulary of 'early', for up to 2.5 s");
    AWAITS("", "f0", "waiting for the vocabulary of the model that began this text, for up to 2.5 s");
    AWAITS("", "f9", "waiting for a modeld of the model that began this text, for up to 2.5 s; there are: 'early'");
    models_leave(&early);
    default_model_set(models_default(ms), "a");
    AWAITS("", "", "waiting for a modeld of the default model 'a', for up to 2.5 s; none is here");
    model_at_hand(ms, "b", "f1");
    AWAITS("", "", "waiting for a modeld of the default model 'a', for up to 2.5 s; there are: 'b'");
    char told[AWAITED_BYTES];
    awaited_modeld(ms, models_first(ms), 2500, told);
    assert_string_equal(told, "waiting for a modeld of 'b', which is gone, for up to 2.5 s");
    awaited_room(models_first(ms), 2500, told);
    assert_string_equal(told, "waiting for room in the modelds of 'b', for up to 2.5 s");
    awaited_samplerd(models_first(ms), &(samplerd_wanted){"", "", false}, 2500, told);
    assert_string_equal(told, "waiting for a samplerd at the modeld of 'b', for up to 2.5 s");
    awaited_samplerd(models_first(ms), &(samplerd_wanted){"mine", "s/1", true}, 2500, told);
    assert_string_equal(told, "waiting for a samplerd of pool 'mine' that draws as s/1 at the modeld of 'b', for up to 2.5 s; "
                              "the one that is there hangs");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_missing_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_to_join_over_tcp_is_told_where, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_default_model_that_is_missing_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_awaited_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
