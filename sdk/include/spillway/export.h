#pragma once

/// Marks what libspillway.so shows; all else in it is hidden.
#if defined(SPILLWAY_STATIC)
#define SPILLWAY_API
#else
#define SPILLWAY_API __attribute__((visibility("default")))
#endif
