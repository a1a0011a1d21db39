// SPDX-License-Identifier: Apache-2.0
// What worker.js needs of the library: begin() gives the argument and the block of the first ref,
// each as an ArrayBuffer, the block's on the shared memory itself.
#include <node_api.h>
#include <string.h>

#include <mpc/mpc.h>

static napi_value failed(napi_env env) {
  char message[512];
  mpc_last_error_message(message, sizeof(message));
  napi_throw_error(env, NULL, message);
  return NULL;
}

static void detach(napi_env env, void* data, void* block) {
  (void)env, (void)data;
  (void)mpc_block_detach(block);
}

static napi_value begin(napi_env env, napi_callback_info info) {
  (void)info;
  const void* argument;
  size_t size;
  const mpc_ref* refs;
  size_t count;
  mpc_block* block;
  if (mpc_program_begin(&argument, &size, &refs, &count) < 0) return failed(env);
  if (count == 0 || mpc_block_attach(&refs[0], &block) < 0) return failed(env);

  napi_value given;
  napi_value bytes;
  napi_value shared;
  void* copy;
  napi_create_object(env, &given);
  napi_create_arraybuffer(env, size, &copy, &bytes);
  memcpy(copy, argument, size);
  napi_set_named_property(env, given, "argument", bytes);
  napi_create_external_arraybuffer(env, mpc_block_address(block), mpc_block_size(block), detach,
                                   block, &shared);
  napi_set_named_property(env, given, "block", shared);
  return given;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "begin", NAPI_AUTO_LENGTH, begin, NULL, &function);
  napi_set_named_property(env, exports, "begin", function);
  return exports;
}
