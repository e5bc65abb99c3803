#include "native.h"

int32_t pose_ros_interface(void)
{
    return 2;
}
