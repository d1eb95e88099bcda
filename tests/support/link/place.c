#include "place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void place_make(place *p) {
    strcpy(p->folder, "/tmp/trivium-link.XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->address, sizeof p->address, "ipc://%s/socket", p->folder);
}

bool place_remove(place *p) {
    unlink(p->address + strlen("ipc://"));
    return rmdir(p->folder) == 0;
}
