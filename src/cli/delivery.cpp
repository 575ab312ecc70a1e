// SPDX-License-Identifier: Apache-2.0
#include "cli/delivery.hpp"

#include "base/stop.hpp"
#include "cli/bundle_proof.hpp"
#include "cli/failure_report.hpp"
#include "cli/publication_memory.hpp"
#include "cli/runtime_choice.hpp"

namespace sf::cli {

using base::Status;

Status deliver(Session& session, const Delivery& delivery, const trust::Signer& signer) {
    const bool publish = delivery.publish.wanted();
    SF_TRY(const MadeBundle made,
           make_signed_bundle(session, delivery.plan, delivery.report, delivery.toolchain,
                              delivery.root.record, signer, delivery.wishes));
    const Published published{delivery.plan, delivery.report, delivery.root.record,
                              delivery.catalog, made};
    if (publish && !delivery.verify) {
        SF_TRY(const bool there, is_published(session, delivery.publish, published, signer));
        if (there) {
            say_bundle(session, made);
            return {};
        }
    }
    if (delivery.verify || publish) {
        const std::unique_ptr<sandbox::Runner> runner = make_runner(delivery.runtime);
        Status proven = prove_bundle(
            session, {made, delivery.root.tree, delivery.run_id, delivery.wishes.gpu}, *runner);
        if (!proven) {
            // A person who stopped it knows why.
            if (!base::stop_requested())
                report_failure(session, {delivery.plan, delivery.report, delivery.root,
                                         delivery.run_id, 0, &proven.error()});
            return proven;
        }
    }
    say_bundle(session, made);
    if (!publish) return {};
    return publish_build(session, delivery.publish, published, signer);
}

}  // namespace sf::cli
