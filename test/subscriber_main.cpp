// Runs the documented subscriber on a cloud that a file holds: height, width, data.
#include <fstream>
#include <iterator>
#include <cstdint>
#include "subscriber.hpp"

static void add(sensor_msgs::msg::PointCloud2 & cloud, const char * name, uint32_t offset, uint8_t type)
{
  sensor_msgs::msg::PointField field;
  field.name = name;
  field.offset = offset;
  field.datatype = type;
  field.count = 1;
  cloud.fields.push_back(field);
}

int main(int, char ** arguments)
{
  std::ifstream file(arguments[1], std::ios::binary);
  uint32_t size[2];
  file.read(reinterpret_cast<char *>(size), sizeof size);
  sensor_msgs::msg::PointCloud2 cloud;
  cloud.height = size[0];
  cloud.width = size[1];
  cloud.point_step = 52;
  cloud.row_step = 52 * cloud.width;
  cloud.data.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  using sensor_msgs::msg::PointField;
  const char * floats[] = {
    "x", "y", "z", "u", "v", "depth_rel", "wx", "wy", "wz", "visibility", "presence"};
  uint32_t offset = 0;
  for (const char * name : floats) {
    add(cloud, name, offset, PointField::FLOAT32);
    offset += 4;
  }
  add(cloud, "person_id", 44, PointField::UINT32);
  add(cloud, "index", 48, PointField::UINT8);
  on_landmarks(cloud);
}
