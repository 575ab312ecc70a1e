// SPDX-License-Identifier: Apache-2.0
// What a build tells whoever watches it: progress displays, JSON events, tests. Called from several
// threads at once; implementations are thread-safe.
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "build/history.hpp"
#include "model/manifest.hpp"

namespace sf::build {

class BuildObserver {
public:
    virtual ~BuildObserver() = default;
    virtual void package_reused(const model::Package& package) = 0;
    virtual void package_started(const std::string& store_name, const std::string& reason) = 0;
    virtual void step_started(const std::string& store_name, const std::string& step) = 0;
    virtual void package_built(const model::Package& package,
                               const std::map<std::string, StepTime>& steps) = 0;
    virtual void package_failed(const std::string& store_name, const base::Error& error) = 0;
    // A dependency failed, or the build was stopped before it began.
    virtual void package_skipped(const std::string& store_name) = 0;
    virtual void waiting_for_lock(const std::string& store_name) = 0;
};

}  // namespace sf::build
