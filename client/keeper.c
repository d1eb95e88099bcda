#include "keeper.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../proto/rt/clock.h"
#include "outcome.h"

enum {
    LOOK_MS = 200,              /* between two looks; the end of a child is seen at once */
    DELAY_MS_MIN = 100,         /* before the first new start, doubled each time … */
    DELAY_MS_MAX = 5000,
    STEADY_MS = 10000,          /* … until it has lived this long */
};

/* When a part may be started again. */
typedef struct patience {
    uint64_t started_ms, due_ms;    /* due_ms 0: it runs */
    uint32_t delay_ms;
} patience;

static void look_dead(const part *one, patience *wait) {
    uint64_t now_ms = clock_ms();
    bool was_steady = now_ms - wait->started_ms >= STEADY_MS;
    if (was_steady || wait->delay_ms == 0) wait->delay_ms = DELAY_MS_MIN;
    else if (wait->delay_ms < DELAY_MS_MAX / 2) wait->delay_ms *= 2;
    else wait->delay_ms = DELAY_MS_MAX;
    wait->due_ms = now_ms + wait->delay_ms;
    fprintf(stderr, "trivium: %s (pid %d) has ended\n", one->process.name, (int)one->process.pid);
}

static void start_again(parts *p, part *one, patience *wait) {
    failure f;
    int lock;
    if (daemons_lock(p->runtime, 0, &lock, &f) != STATUS_OK) return;    /* at the next look */
    wait->started_ms = clock_ms();
    wait->due_ms = 0;
    if (part_start(p, one, &f) == STATUS_OK) {
        fprintf(stderr, "trivium: started %s again (pid %d)\n", one->process.name,
                (int)one->process.pid);
    } else {
        outcome_failed(&f);
    }
    daemons_unlock(p->runtime, &lock);
}

/* One whose process or start is not known is somebody else's to keep. */
static bool is_kept(const part *one) {
    return one->process.pid > 0 && one->n_arguments > 0;
}

static void look(parts *p, patience waits[N_PARTS]) {
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    for (int i = 0; i < N_PARTS; i++) {
        part *one = &p->all[i];
        if (!is_kept(one) || daemon_alive(&one->process)) continue;
        if (waits[i].due_ms == 0) look_dead(one, &waits[i]);
        else if (clock_ms() >= waits[i].due_ms) start_again(p, one, &waits[i]);
    }
}

static int keep(parts *p, const sigset_t *signals) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    patience waits[N_PARTS] = {0};
    for (;;) {
        int number = sigtimedwait(signals, NULL, &pause);
        if (number == SIGINT) return EXIT_INTERRUPTED;
        if (number == SIGTERM) return EXIT_FINE;
        look(p, waits);
    }
}

/* What the keeper waits for. */
static sigset_t signals_of_keeper(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    return signals;
}

status keeper_begin(const parts *p, failure *f) {
    const sigset_t signals = signals_of_keeper();
    daemon_process self = {.name = KEEPER_NAME};
    daemon_identify(getpid(), &self);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return daemon_record(p->runtime, &self, f);
}

int keeper_run(parts *p) {
    const sigset_t signals = signals_of_keeper();
    fputs("trivium: the daemons are kept running until Ctrl-C\n", stderr);
    int code = keep(p, &signals);
    for (int i = 0; i < N_PARTS; i++) p->all[i].started |= is_kept(&p->all[i]);
    parts_stop(p);
    daemon_forget(p->runtime, KEEPER_NAME);
    return code;
}
