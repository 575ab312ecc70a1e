// SPDX-License-Identifier: Apache-2.0
// Stand-ins for the libraries that come with the drivers of GPUs, for machines that have none: test
// doubles of what Slurm's plugins ask, with the interfaces of the headers that those are built with
// (recipes/). Built with -DNVML it has one device, /dev/nvidia0, with two clock rates; with -DRSMI
// or -DONEAPI it has none. That a real library has the same interface, they cannot prove.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifdef NVML
enum { success = 0, invalid_argument = 2, not_supported = 3, clock_graphics = 0, clock_memory = 2 };
enum { memory_mhz = 5000, low_mhz = 300, high_mhz = 1500 };

// To its user it is a handle without a content.
typedef struct gpu {
    unsigned graphics, memory;
} gpu;
static gpu the_gpu = {high_mhz, memory_mhz};

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} pci_info;

static int say(const gpu* device, char* text, unsigned length, const char* what) {
    if (device != &the_gpu || strlen(what) >= length) return invalid_argument;
    strcpy(text, what);
    return success;
}

int nvmlInit_v2(void) { return success; }
int nvmlShutdown(void) { return success; }
const char* nvmlErrorString(int result) {
    static char text[64];
    snprintf(text, sizeof text, "error %d of the stand-in", result);
    return text;
}
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
    return say(&the_gpu, text, length, "510.0.0");
}
int nvmlSystemGetNVMLVersion(char* text, unsigned length) {
    return say(&the_gpu, text, length, "12.510.0.0");
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 1;
    return success;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, gpu** device) {
    if (index != 0) return invalid_argument;
    *device = &the_gpu;
    return success;
}
int nvmlDeviceGetName(gpu* device, char* text, unsigned length) {
    return say(device, text, length, "Stand In");
}
int nvmlDeviceGetUUID(gpu* device, char* text, unsigned length) {
    return say(device, text, length, "GPU-00000000-0000-0000-0000-000000000001");
}
int nvmlDeviceGetMinorNumber(gpu* device, unsigned* number) {
    if (device != &the_gpu) return invalid_argument;
    *number = 0;
    return success;
}
int nvmlDeviceGetPciInfo_v3(gpu* device, pci_info* pci) {
    if (device != &the_gpu) return invalid_argument;
    *pci = (pci_info){"0000:01:00.0", 0, 1, 0, 0, 0, "00000000:01:00.0"};
    return success;
}
int nvmlDeviceGetCpuAffinity(gpu* device, unsigned size, unsigned long* set) {
    if (device != &the_gpu || size == 0) return invalid_argument;
    memset(set, 0, size * sizeof *set);
    set[0] = 1;
    return success;
}
int nvmlDeviceGetApplicationsClock(gpu* device, int type, unsigned* mhz) {
    if (device != &the_gpu) return invalid_argument;
    if (type != clock_graphics && type != clock_memory) return invalid_argument;
    *mhz = type == clock_graphics ? device->graphics : device->memory;
    return success;
}
int nvmlDeviceSetApplicationsClocks(gpu* device, unsigned memory, unsigned graphics) {
    if (device != &the_gpu || memory != memory_mhz) return invalid_argument;
    if (graphics != low_mhz && graphics != high_mhz) return invalid_argument;
    device->memory = memory;
    device->graphics = graphics;
    return success;
}
int nvmlDeviceResetApplicationsClocks(gpu* device) {
    return nvmlDeviceSetApplicationsClocks(device, memory_mhz, high_mhz);
}
int nvmlDeviceGetSupportedMemoryClocks(gpu* device, unsigned* count, unsigned* mhz) {
    if (device != &the_gpu || *count < 1) return invalid_argument;
    *count = 1;
    mhz[0] = memory_mhz;
    return success;
}
int nvmlDeviceGetSupportedGraphicsClocks(gpu* device, unsigned memory, unsigned* count,
                                         unsigned* mhz) {
    if (device != &the_gpu || memory != memory_mhz || *count < 2) return invalid_argument;
    *count = 2;
    mhz[0] = high_mhz;
    mhz[1] = low_mhz;
    return success;
}
// No process uses it.
static int no_process(const gpu* device, unsigned* count) {
    if (device != &the_gpu) return invalid_argument;
    *count = 0;
    return success;
}
int nvmlDeviceGetComputeRunningProcesses_v3(gpu* device, unsigned* count) {
    return no_process(device, count);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(gpu* device, unsigned* count) {
    return no_process(device, count);
}
int nvmlDeviceGetProcessUtilization(gpu* device, void* samples, unsigned* count) {
    (void)samples;
    return no_process(device, count);
}
// It has neither links to others nor parts.
#define LACKS(name) \
    int name(void) { return not_supported; }
LACKS(nvmlDeviceGetNvLinkState)
LACKS(nvmlDeviceGetNvLinkRemotePciInfo_v2)
LACKS(nvmlDeviceGetMigMode)
LACKS(nvmlDeviceGetMaxMigDeviceCount)
LACKS(nvmlDeviceGetMigDeviceHandleByIndex)
LACKS(nvmlDeviceGetGpuInstanceId)
LACKS(nvmlDeviceGetComputeInstanceId)
LACKS(nvmlDeviceGetAttributes_v2)
#endif

#ifdef RSMI
typedef struct {
    unsigned major, minor, patch;
    const char* build;
} version;

int rsmi_init(unsigned long long flags) { return (int)flags; }
int rsmi_shut_down(void) { return 0; }
int rsmi_status_string(int status, const char** text) {
    (void)status;
    *text = "an error of the stand-in";
    return 0;
}
int rsmi_version_get(version* found) {
    *found = (version){7, 0, 0, "the stand-in"};
    return 0;
}
int rsmi_version_str_get(int component, char* text, unsigned length) {
    (void)component;
    snprintf(text, length, "the stand-in");
    return 0;
}
int rsmi_num_monitor_devices(unsigned* count) {
    fputs("the stand-in for librocm_smi64.so shows no device\n", stderr);
    *count = 0;
    return 0;
}
#endif

#ifdef ONEAPI
int zeInit(unsigned flags) { return (int)flags; }
int zeDriverGet(unsigned* count, void** drivers) {
    (void)drivers;
    fputs("the stand-in for libze_loader.so shows no device\n", stderr);
    *count = 0;
    return 0;
}
#endif
