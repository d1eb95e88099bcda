#include "supervisor.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/outcome.h"
#include "proto/base/clock.h"
#include "proto/base/process/signals.h"

enum {
    LOOK_MS = 200,              /* between two looks; the end of a child is seen at once */
    DELAY_MS_MIN = 100,         /* before the first new start, doubled each time … */
    DELAY_MS_MAX = 5000,
    STEADY_MS = 10000,          /* … until it has lived this long */
};

/* When a daemon may be started again. */
typedef struct patience {
    uint64_t started_ms, due_ms;    /* due_ms 0: it runs */
    uint32_t delay_ms;
} patience;

static void look_dead(const stack_daemon *one, patience *wait) {
    uint64_t now_ms = clock_ms();
    bool was_steady = now_ms - wait->started_ms >= STEADY_MS;
    if (was_steady || wait->delay_ms == 0) wait->delay_ms = DELAY_MS_MIN;
    else if (wait->delay_ms < DELAY_MS_MAX / 2) wait->delay_ms *= 2;
    else wait->delay_ms = DELAY_MS_MAX;
    wait->due_ms = now_ms + wait->delay_ms;
    fprintf(stderr, "trivium: %s (pid %d) has ended\n", one->process.name, (int)one->process.pid);
}

/* One whose process or start is not known is somebody else's to keep. */
static bool is_kept(const stack_daemon *one) {
    return one->process.pid > 0 && one->line.n_bytes > 0;
}

static void let_go(stack_daemon *one) {
    one->line.n_bytes = 0;
    one->started = false;
}

/* Whoever started it meanwhile wrote another pid file: is its model still the one that is kept? */
static bool take_over(stack_daemon *one, const daemon_process *other) {
    if (strcmp(other->model, one->process.model) != 0) return false;
    command_line line;
    if (command_line_of(other->pid, &line)) one->line = line;
    one->process = *other;
    return true;
}

/* Whoever ended it on purpose removed its pid file. */
static void start_again(stack *s, stack_daemon *one, patience *wait) {
    failure f;
    int lock;
    daemon_process other;
    if (daemons_lock(s->runtime, 0, &lock, &f) != STATUS_OK) return;    /* at the next look */
    wait->started_ms = clock_ms();
    wait->due_ms = 0;
    if (daemon_find(s->runtime, one->process.name, &other) && take_over(one, &other)) {
        /* that one is kept from now on */
    } else if (!daemon_recorded(s->runtime, &one->process)) {
        fprintf(stderr, "trivium: %s is kept no more: `down` or `drain` ended it\n", one->process.name);
        let_go(one);
    } else if (stack_start(s, one, &f) == STATUS_OK) {
        fprintf(stderr, "trivium: started %s again (pid %d)\n", one->process.name,
                (int)one->process.pid);
    } else {
        outcome_failed(&f);
    }
    daemons_unlock(s->runtime, &lock);
}

static void look(stack *s, patience waits[N_STACK_DAEMONS]) {
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        stack_daemon *one = &s->all[i];
        if (!is_kept(one) || daemon_alive(&one->process)) continue;
        if (waits[i].due_ms == 0) look_dead(one, &waits[i]);
        else if (clock_ms() >= waits[i].due_ms) start_again(s, one, &waits[i]);
    }
}

static sigset_t end_of_child(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

static int keep(stack *s) {
    const sigset_t child = end_of_child();
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    patience waits[N_STACK_DAEMONS] = {0};
    int number;
    while ((number = signals_take(NULL)) == 0) {
        sigtimedwait(&child, NULL, &pause);
        look(s, waits);
    }
    return number == SIGINT ? EXIT_INTERRUPTED : EXIT_FINE;
}

static daemon_process supervisor_self(void) {
    daemon_process self = {.pid = getpid()};
    snprintf(self.name, sizeof self.name, SUPERVISOR_NAME "%d", (int)self.pid);
    daemon_identify(self.pid, &self);
    return self;
}

status supervisor_begin(stack *s, failure *f) {
    const sigset_t child = end_of_child();
    const daemon_process self = supervisor_self();
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        if (!daemon_recorded(s->runtime, &s->all[i].process)) let_go(&s->all[i]);
    }
    sigprocmask(SIG_BLOCK, &child, NULL);
    return daemon_record(s->runtime, &self, f);
}

int supervisor_run(stack *s) {
    fputs("trivium: the daemons are kept running until Ctrl-C\n", stderr);
    int code = keep(s);
    /* Another one needs it, too. */
    if (daemons_supervisors(s->runtime) > 0) let_go(&s->all[STACK_TOKENIZERD]);
    for (int i = 0; i < N_STACK_DAEMONS; i++) s->all[i].started |= is_kept(&s->all[i]);
    stack_stop(s);
    daemon_forget(s->runtime, supervisor_self().name);
    return code;
}
