// CHOICE: instruction set. Asked once by CPUID, forced by FIRTH_ISA or by name.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace firth {

// What this processor can run, best first; never empty.
const std::vector<const Kernels*>& supported_kernels();

// The kernels of the named instruction set; "" means FIRTH_ISA if that is set, else the best.
// Throws std::invalid_argument naming what this processor supports.
const Kernels& kernels(const std::string& isa);

}  // namespace firth
