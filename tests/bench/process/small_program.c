// SPDX-License-Identifier: Apache-2.0
// What a fresh image costs at the least: a dynamic C program that does nothing but end.
int main(void) { return 3; }
