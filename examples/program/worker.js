// SPDX-License-Identifier: Apache-2.0
// worker.js ADDON: a worker that parent.c starts. Node has no FFI of its own: the addon,
// node_addon.c, is what it reaches the library by.
'use strict';

const addon = {exports: {}};
process.dlopen(addon, process.argv[2]);
const {argument, block} = addon.exports.begin();
console.log(`worker in Node: ${Buffer.from(argument)}`);
const numbers = new Int32Array(block);
for (let i = 0; i < numbers.length; i++) numbers[i] = i * i;
process.exitCode = 3;
