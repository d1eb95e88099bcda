/* What a machine and its control groups say of memory, in folders made here; and what keys and values get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "modeld/engine/memory_limit.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define GB (UINT64_C(1) << 30)
#define MB (UINT64_C(1) << 20)

typedef struct file {
    const char *path, *text;
} file;

enum { FILES_MAX = 6 };

static char root[64];

/* Make a file and the folders above it. */
static void put(const file *one) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, one->path);
    for (char *slash = path + strlen(root); (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(one->text, out);
    fclose(out);
}

static memory_limit limit_of(const file files[FILES_MAX]) {
    char command[128];
    strcpy(root, "/tmp/test_memory_limit.XXXXXX");
    assert_non_null(mkdtemp(root));
    for (int i = 0; i < FILES_MAX && files[i].path; i++) put(&files[i]);
    memory_limit l = memory_limit_read(root);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
    return l;
}

#define MACHINE {"/proc/meminfo", "MemTotal:       24683652 kB\nMemFree:        23837116 kB\n"}
#define MACHINE_BYTES (24683652 * UINT64_C(1024))

typedef struct limit_case {
    const char *what;
    file files[FILES_MAX];
    uint64_t n_bytes;
    bool of_group;
} limit_case;

static const limit_case CASES[] = {
    {"a machine", {MACHINE}, MACHINE_BYTES, false},
    {"nothing to be read", {{0}}, UINT64_MAX, false},
    {"version 2", {MACHINE, {"/proc/self/cgroup", "0::/a/b\n"},
                   {"/sys/fs/cgroup/a/b/memory.max", "2147483648\n"}}, 2 * GB, true},
    {"version 2, no limit", {MACHINE, {"/proc/self/cgroup", "0::/a/b\n"},
                             {"/sys/fs/cgroup/a/b/memory.max", "max\n"}}, MACHINE_BYTES, false},
    {"a group above", {MACHINE, {"/proc/self/cgroup", "0::/a/b\n"},
                       {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                       {"/sys/fs/cgroup/a/memory.max", "1073741824\n"}}, GB, true},
    {"a container that sees its own group at the top", {MACHINE, {"/proc/self/cgroup", "0::/\n"},
                       {"/sys/fs/cgroup/memory.max", "536870912\n"}}, 512 * MB, true},
    {"more than the machine has", {MACHINE, {"/proc/self/cgroup", "0::/a\n"},
                       {"/sys/fs/cgroup/a/memory.max", "99999999999999\n"}}, MACHINE_BYTES, false},
    {"version 1", {MACHINE, {"/proc/self/cgroup", "5:cpu,memory:/docker/x\n1:name=systemd:/\n0::/\n"},
                   {"/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "1073741824\n"}}, GB, true},
    {"version 1 in a container", {MACHINE, {"/proc/self/cgroup", "4:memory:/docker/x\n"},
                   {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"}}, GB, true},
    {"version 1, no limit", {MACHINE, {"/proc/self/cgroup", "4:memory:/x\n"},
                   {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"}},
     MACHINE_BYTES, false},
    {"another controller's path", {MACHINE, {"/proc/self/cgroup", "4:cpu:/x\n"},
                   {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1073741824\n"}}, MACHINE_BYTES, false},
    {"both versions", {MACHINE, {"/proc/self/cgroup", "4:memory:/x\n0::/y\n"},
                   {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2147483648\n"},
                   {"/sys/fs/cgroup/unified/y/memory.max", "1073741824\n"}}, GB, true},
    {"no sense", {MACHINE, {"/proc/self/cgroup", "\n:\nmemory\n0:\n0::\n4:memory\n"},
                  {"/sys/fs/cgroup/memory.max", "lots\n"}}, MACHINE_BYTES, false},
};

static void the_least_limit_counts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        memory_limit l = limit_of(CASES[i].files);
        if (l.n_bytes != CASES[i].n_bytes || l.of_group != CASES[i].of_group)
            fail_msg("%s: %llu bytes, of a group: %d", CASES[i].what, (unsigned long long)l.n_bytes,
                     l.of_group);
    }
}

static void this_machine_has_memory(void **state) {
    (void)state;
    memory_limit l = memory_limit_read("");
    assert_true(l.n_bytes > 64 * MB);
}

static void what_cannot_be_had_is_refused_with_both_numbers(void **state) {
    (void)state;
    const memory_limit machine = {24 * GB, false}, group = {512 * MB, true};
    uint64_t kv = 1000 * GB;
    failure f = {0};
    assert_int_equal(memory_limit_share(&machine, 98 * MB, &kv, &f), STATUS_NO_MEMORY);
    assert_non_null(strstr(f.message, "--kv-memory is 1000G"));
    assert_non_null(strstr(f.message, "98.0M for the weights"));
    assert_non_null(strstr(f.message, "24.0G that this machine has"));
    kv = 500 * MB;      /* the weights count, too */
    assert_int_equal(memory_limit_share(&group, 13 * MB, &kv, &f), STATUS_NO_MEMORY);
    assert_non_null(strstr(f.message, "512M that the control group"));
    assert_int_equal(memory_limit_share(&group, 12 * MB, &kv, &f), STATUS_OK);
    assert_int_equal(kv, 500 * MB);
    kv = 0;
    assert_int_equal(memory_limit_share(&group, 2 * GB, &kv, &f), STATUS_NO_MEMORY);
    assert_non_null(strstr(f.message, "weights take 2.0G"));
    assert_non_null(strstr(f.message, "512M"));
}

static void without_a_wish_it_is_a_gigabyte_or_half_of_the_rest(void **state) {
    (void)state;
    const memory_limit machine = {24 * GB, false}, group = {512 * MB, true},
                       unknown = {UINT64_MAX, false};
    failure f;
    uint64_t kv = 0;
    assert_int_equal(memory_limit_share(&machine, 20 * GB, &kv, &f), STATUS_OK);
    assert_int_equal(kv, GB);
    kv = 0;
    assert_int_equal(memory_limit_share(&group, 112 * MB, &kv, &f), STATUS_OK);
    assert_int_equal(kv, 200 * MB);
    kv = 0;
    assert_int_equal(memory_limit_share(&unknown, 112 * MB, &kv, &f), STATUS_OK);
    assert_int_equal(kv, GB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_limit_counts),
        cmocka_unit_test(this_machine_has_memory),
        cmocka_unit_test(what_cannot_be_had_is_refused_with_both_numbers),
        cmocka_unit_test(without_a_wish_it_is_a_gigabyte_or_half_of_the_rest),
    };
    return cmocka_run_group_tests_name("memory_limit", tests, NULL, NULL);
}
