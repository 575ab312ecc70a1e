// SPDX-License-Identifier: Apache-2.0
// An MPI program's first steps with PMIx: it learns who it is, tells the others a word, reads that
// of its neighbour.
#include <pmix.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void check(pmix_status_t result, const char* what) {
    if (result == PMIX_SUCCESS) return;
    fprintf(stderr, "%s: %s\n", what, PMIx_Error_string(result));
    exit(1);
}

int main(void) {
    pmix_proc_t self, other;
    pmix_value_t word, *found = NULL;
    pmix_info_t wish;
    bool yes = true;
    char text[64];
    check(PMIx_Init(&self, NULL, 0), "PMIx_Init");
    PMIX_LOAD_PROCID(&other, self.nspace, PMIX_RANK_WILDCARD);
    check(PMIx_Get(&other, PMIX_JOB_SIZE, NULL, 0, &found), "PMIx_Get of the job's size");
    const unsigned size = found->data.uint32;
    PMIX_VALUE_RELEASE(found);

    snprintf(text, sizeof text, "the word of %u", self.rank);
    PMIX_VALUE_LOAD(&word, text, PMIX_STRING);
    check(PMIx_Put(PMIX_GLOBAL, "sf.word", &word), "PMIx_Put");
    check(PMIx_Commit(), "PMIx_Commit");
    PMIX_INFO_LOAD(&wish, PMIX_COLLECT_DATA, &yes, PMIX_BOOL);
    check(PMIx_Fence(NULL, 0, &wish, 1), "PMIx_Fence");
    other.rank = (self.rank + 1) % size;
    check(PMIx_Get(&other, "sf.word", NULL, 0, &found), "PMIx_Get of the word");
    printf("%u of %u: %s\n", self.rank, size, found->data.string);
    PMIX_VALUE_RELEASE(found);
    check(PMIx_Finalize(NULL, 0), "PMIx_Finalize");
    return 0;
}
