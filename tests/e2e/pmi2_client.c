// SPDX-License-Identifier: Apache-2.0
// An MPI program's first steps with PMI-2: it learns who it is, tells the others a word, reads that
// of its neighbour. With an argument its first task also asks for one more task, which runs the
// program that the argument names.
#include <slurm/pmi2.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check(int result, const char* what) {
    if (result == PMI2_SUCCESS) return;
    fprintf(stderr, "%s: error %d\n", what, result);
    exit(1);
}

static void spawn(const char* program) {
    const char* programs[] = {program};
    const char* no_words[] = {NULL};
    const char** words[] = {no_words};
    int counts[] = {0};
    const int tasks[] = {1};
    const int infos[] = {0};
    const struct MPID_Info* no_infos[] = {NULL};
    char job[PMI2_MAX_VALLEN] = "";
    int errors[] = {-1};
    check(PMI2_Job_Spawn(1, programs, counts, words, tasks, infos, no_infos, 0, NULL, job,
                         sizeof job, errors),
          "PMI2_Job_Spawn");
    check(errors[0], "the spawned task");
    printf("spawned the job %s\n", job);
}

int main(int argc, char** argv) {
    int spawned = 0, size = 0, rank = 0, number = 0, length = 0;
    char job[PMI2_MAX_VALLEN], key[PMI2_MAX_KEYLEN], value[PMI2_MAX_VALLEN];
    check(PMI2_Init(&spawned, &size, &rank, &number), "PMI2_Init");
    check(PMI2_Job_GetId(job, sizeof job), "PMI2_Job_GetId");
    snprintf(key, sizeof key, "word-%d", rank);
    snprintf(value, sizeof value, "the word of %d", rank);
    check(PMI2_KVS_Put(key, value), "PMI2_KVS_Put");
    check(PMI2_KVS_Fence(), "PMI2_KVS_Fence");
    snprintf(key, sizeof key, "word-%d", (rank + 1) % size);
    check(PMI2_KVS_Get(job, PMI2_ID_NULL, key, value, sizeof value, &length), "PMI2_KVS_Get");
    printf("%s%d of %d: %s\n", spawned ? "spawned " : "", rank, size, value);
    fflush(stdout);
    if (argc > 1 && rank == 0) spawn(argv[1]);
    // The srun of a spawned task looks from time to time whether it runs, and only then answers the
    // one that asked for it: a task that ends before is never reported.
    if (spawned) sleep(2);
    check(PMI2_Finalize(), "PMI2_Finalize");
    return 0;
}
