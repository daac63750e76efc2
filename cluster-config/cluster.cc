#include "cluster-config/cluster.h"

#include "cluster-config/schema_bind.h"

namespace spillway::config {

std::string_view to_string(Role value) {
  return role_words[static_cast<std::size_t>(value)];
}
std::string_view to_string(ModelKind value) {
  return kind_words[static_cast<std::size_t>(value)];
}
std::string_view to_string(Device value) {
  return device_words[static_cast<std::size_t>(value)];
}
std::string_view to_string(Isa value) {
  return isa_words[static_cast<std::size_t>(value)];
}

const Node* Cluster::node(std::string_view node_name) const {
  for (const auto& each : nodes) {
    if (each.name == node_name) return &each;
  }
  return nullptr;
}

const Node* Cluster::node(core::NodeId id) const {
  for (const auto& each : nodes) {
    if (each.id == id) return &each;
  }
  return nullptr;
}

const Model* Cluster::model(core::ModelId id) const {
  for (const auto& [model_name, each] : models) {
    if (each.id == id) return &each;
  }
  return nullptr;
}

const Tenant* Cluster::tenant(core::TenantId id) const {
  for (const auto& [tenant_name, each] : tenants) {
    if (each.id == id) return &each;
  }
  return nullptr;
}

const ClassRules& Cluster::rules(core::ServiceClass service_class) const {
  if (service_class == core::ServiceClass::live) return live;
  return service_class == core::ServiceClass::interactive ? interactive : batch;
}

Cluster embedded_cluster(Model model, std::uint32_t threads) {
  Cluster cluster;
  model.id = core::model_id(model.name);
  Node node;
  node.name = "embedded";
  node.id = core::node_id(node.name);
  node.ports = {node.port, static_cast<std::uint16_t>(node.port + 1), static_cast<std::uint16_t>(node.port + 2),
                static_cast<std::uint16_t>(node.port + 3)};
  node.threads = threads;
  node.models = {model.name};
  cluster.nodes.push_back(std::move(node));
  cluster.models.emplace(model.name, std::move(model));
  Tenant tenant;
  tenant.name = "default";
  tenant.id = core::tenant_id(tenant.name);
  cluster.tenants.emplace(tenant.name, std::move(tenant));
  return cluster;
}

}  // namespace spillway::config
