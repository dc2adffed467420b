/* Stand-in for FreeRTOS's header of this name, for the tests on a host: a tick is a hundredth of a second, as by default. */
#pragma once
#include <stdint.h>
typedef uint32_t TickType_t;
#define configTICK_RATE_HZ 100
#define pdMS_TO_TICKS(milliseconds) ((TickType_t)((uint64_t)(milliseconds) * configTICK_RATE_HZ / 1000))
