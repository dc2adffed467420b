// An AVR reads constants from flash by these; a host has one memory. For the tests only.
#pragma once
#include <string.h>
#include <strings.h>
#define PROGMEM
#define PGM_P const char *
#define PSTR(text) (text)
#define pgm_read_byte(place) (*reinterpret_cast<const unsigned char *>(place))
#define strlen_P strlen
#define strcpy_P strcpy
#define strncmp_P strncmp
#define strncasecmp_P strncasecmp
