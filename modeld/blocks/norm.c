#include "norm.h"

void norm_row(const norm *m, const kernels *k, float *y, const float *x, uint32_t n) {
    switch (m->kind) {
    case NORM_RMS: k->rms_norm(y, x, m->weight, n, m->epsilon); break;
    case NORM_LAYER: k->layer_norm(y, x, m->weight, m->bias, n, m->epsilon); break;
    }
}
