import type { StickFault, StickField } from "../../protocol/protocol.ts";

/** What is wrong in a stick's file, and its repair: the same words on the room's TV and at the desk. */
export interface StickFaultWords {
  title: string;
  repair: string;
}

interface FieldWords {
  name: string;
  repair: string;
}

const FIELDS: Record<StickField, FieldWords> = {
  v: { name: "phiên bản tệp (v)", repair: 'Dòng này phải là "v": 1.' },
  hub: {
    name: "máy chủ trung tâm (hub)",
    repair: "Cần cả nhóm hub với host và caSha256. Nên tạo lại tệp ở trung tâm.",
  },
  "hub.host": {
    name: "tên máy chủ trung tâm (host)",
    repair: "Chỉ ghi tên hoặc địa chỉ, không có https:// và số cổng.",
  },
  "hub.port": { name: "cổng máy chủ (port)", repair: "Ghi một số từ 1 đến 65535, thường là 8443." },
  "hub.caSha256": {
    name: "dấu vân tay máy chủ (caSha256)",
    repair: "Cần đúng 64 chữ số và chữ a–f. Nên tạo lại tệp ở trung tâm.",
  },
  network: { name: "mạng của phòng (network)", repair: "Bỏ cả nhóm này nếu phòng cấp địa chỉ tự động." },
  "network.address": {
    name: "địa chỉ của thiết bị (address)",
    repair: "Ghi địa chỉ và độ dài mạng, ví dụ 10.24.3.17/24.",
  },
  "network.gateway": { name: "cổng ra (gateway)", repair: "Ghi địa chỉ bộ định tuyến, ví dụ 10.24.3.1." },
  "network.dns": { name: "máy chủ tên miền (dns)", repair: "Ghi nhiều nhất bốn địa chỉ, ví dụ 10.24.3.1." },
  "network.vlan": { name: "số VLAN (vlan)", repair: "Ghi một số từ 1 đến 4094, hoặc bỏ dòng này." },
  "network.proxy": {
    name: "máy chủ ủy quyền (proxy)",
    repair: "Ghi địa chỉ và cổng, ví dụ 10.24.0.9:3128, không có tên và mật khẩu.",
  },
  ntp: { name: "máy chủ giờ (ntp)", repair: "Ghi nhiều nhất bốn tên hoặc địa chỉ, không có http://." },
};

const HINTS: Record<"quotes" | "comma" | "comment" | "unclosed", string> = {
  quotes: 'Dùng dấu ngoặc kép thẳng " cho mọi chữ. Dấu cong “ ” do Word tự đổi thì máy không đọc được.',
  comma: "Mỗi dòng cách nhau đúng một dấu phẩy, dòng cuối của nhóm không có dấu phẩy.",
  comment: "Xóa lời chú bắt đầu bằng // hoặc #. Tệp này không được có lời chú.",
  unclosed: "Tệp bị cụt. Thiếu dấu } ở cuối; nên chép lại tệp từ trung tâm.",
};
const MAKE_AGAIN = "Tạo lại tệp ở trung tâm và chép vào USB.";

export function stickFaultWords(fault: StickFault): StickFaultWords {
  switch (fault.code) {
    case "empty":
      return { title: "Tệp diem-cau.json trên USB trống", repair: MAKE_AGAIN };
    case "tooLarge":
    case "notText":
      return { title: "Tệp diem-cau.json trên USB không phải tệp của trung tâm", repair: MAKE_AGAIN };
    case "newer":
      return { title: "Tệp trên USB dành cho thiết bị phiên bản mới hơn", repair: "Gọi phụ trách kỹ thuật." };
    case "notJson":
      return {
        title: `Tệp trên USB sai ở dòng ${fault.line}`,
        repair: fault.hint === null ? MAKE_AGAIN : HINTS[fault.hint],
      };
    case "unknown":
      return {
        title: `Trên USB không có mục nào tên “${fault.field}”`,
        repair: `Sửa thành “${fault.meant.split(".").at(-1)}”.`,
      };
    case "missing":
      return { title: `USB còn thiếu ${FIELDS[fault.field].name}`, repair: FIELDS[fault.field].repair };
    case "invalid":
      return {
        title: `USB ghi sai ${FIELDS[fault.field].name}: “${fault.found}”`,
        repair: FIELDS[fault.field].repair,
      };
    default:
      return {
        title: `Cổng ra ${fault.found} không cùng mạng với địa chỉ của thiết bị`,
        repair: "Sửa cổng ra (gateway) hoặc độ dài mạng sau dấu / của địa chỉ (address).",
      };
  }
}

/** Beside the box of a form: the repair alone, the box says which. */
export const stickFieldRepair = (faults: readonly StickFault[], field: StickField): string | undefined => {
  const fault = faults.find((each) =>
    each.code === "gatewayOutside" ? field === "network.gateway" : "field" in each && each.field === field,
  );
  return fault && stickFaultWords(fault).repair;
};
