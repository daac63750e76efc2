# Options, flags, dependencies and the two helper functions that every folder uses.
include_guard()

option(SPILLWAY_TESTS "Build the tests" ON)
option(SPILLWAY_BENCH "Build the benchmarks" ON)
set(SPILLWAY_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, for example address,undefined or thread")
set(SPILLWAY_TIMEOUT_SCALE 1 CACHE STRING "Factor on the time-out of each test (make test-long raises it)")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # By the compiler's list of headers: a first build, with nothing kept yet, need not preprocess each file twice.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=true ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(spdlog REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS unit_test_framework json)
find_package(tl-expected REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET GLOBAL libsodium)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET GLOBAL libxxhash)
pkg_check_modules(zmq REQUIRED IMPORTED_TARGET GLOBAL libzmq)
pkg_check_modules(capnp REQUIRED IMPORTED_TARGET GLOBAL capnp)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET GLOBAL libutf8proc)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)

# Warnings and the numerics contract: no contraction, no fast math, anywhere. -Wrestrict is wrong about string
# concatenation in g++ 12 (GCC bug 105651).
add_library(spillway_flags INTERFACE)
target_compile_options(spillway_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> -ffp-contract=off
  -fno-fast-math -fvisibility=hidden -fvisibility-inlines-hidden)
target_include_directories(spillway_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(spillway_flags INTERFACE Threads::Threads)
if(SPILLWAY_SANITIZE)
  # What tests do themselves is watched for memory errors and races alone: checks of undefined behaviour there would double the
  # time to compile them and say nothing about Spillway.
  target_compile_options(spillway_flags INTERFACE -fsanitize=${SPILLWAY_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g1 $<$<BOOL:$<TARGET_PROPERTY:SPILLWAY_TEST>>:-fno-sanitize=undefined>)
  target_link_options(spillway_flags INTERFACE -fsanitize=${SPILLWAY_SANITIZE})
endif()

# spillway_library(NAME SOURCES ... HEADERS ... LINK PUBLIC ... PRIVATE ...)
#   static library spillway_NAME, alias spillway::NAME. Includes are written from the root of the tree.
function(spillway_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;LINK" ${ARGN})
  string(REPLACE "-" "_" target spillway_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(spillway::${name} ALIAS ${target})
  target_link_libraries(${target} PUBLIC spillway_flags ${ARG_LINK})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
endfunction()

# `quick_tests` builds what the tests labelled quick need: the sanitizer runs build nothing else.
add_custom_target(quick_tests)

# spillway_test(NAME SOURCES ... LINK ... [LABELS quick long ...] [TIMEOUT seconds] [ARGS ...])
#   one Boost.Test binary per folder, registered with ctest under its name.
function(spillway_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES SPILLWAY_TEST ON)
  target_link_libraries(${name} PRIVATE spillway_flags ${ARG_LINK} Boost::unit_test_framework)
  target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK SPILLWAY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  spillway_test_run(${name} ${name} LABELS ${ARG_LABELS} TIMEOUT ${ARG_TIMEOUT} ARGS ${ARG_ARGS})
endfunction()

# spillway_test_run(RUN BINARY [ARGS --run_test=...] [LABELS ...] [TIMEOUT seconds])
#   one more run of a test binary under another name, for example the quick part of a folder whose whole is slow.
function(spillway_test_run run binary)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;ARGS" ${ARGN})
  add_test(NAME ${run} COMMAND ${binary} --color_output=no --log_level=unit_scope
    --report_level=short ${ARG_ARGS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  math(EXPR timeout "${ARG_TIMEOUT} * ${SPILLWAY_TIMEOUT_SCALE}")
  set(environment "")
  if(SPILLWAY_SANITIZE)
    math(EXPR timeout "${timeout} * 5")
    set(environment ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
      TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp:halt_on_error=1:suppress_equal_addresses=0)
  endif()
  set_tests_properties(${run} PROPERTIES TIMEOUT ${timeout} LABELS "${ARG_LABELS}" ENVIRONMENT "${environment}")
  if("quick" IN_LIST ARG_LABELS)
    add_dependencies(quick_tests ${binary})
  endif()
endfunction()
