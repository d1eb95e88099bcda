#include "config_watch.h"

int config_watch(config *c, loop *l, const config_change *table, config_check *check) {
    int fd = config_hangup_fd(c);
    config_on_change(c, table, check);
    return fd < 0 ? 0 : loop_add_reader(l, fd, config_reload, c);
}
