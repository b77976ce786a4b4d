/** README.txt of every bag: how an inspector checks it with ordinary tools. */
export const README_TEXT = `HỒ SƠ GHI ÂM, GHI HÌNH BUỔI TIẾP CÔNG DÂN TRỰC TUYẾN

Thư mục này theo chuẩn BagIt (RFC 8493). Kiểm tra bằng công cụ thông thường, không cần phần mềm riêng.
Mọi lệnh dưới đây chạy trong thư mục này.

1. Các tệp còn nguyên vẹn hay không (không được có dòng nào báo FAILED):
     sha256sum -c --quiet tagmanifest-sha256.txt
     sha256sum -c --quiet manifest-sha256.txt

2. Danh mục có đúng do trung tâm ký hay không (phải hiện "Verified OK"):
     openssl dgst -sha256 -verify keys/hub.pub.pem -signature tagmanifest-sha256.txt.sig tagmanifest-sha256.txt

3. Một đoạn ghi có đúng do thiết bị tại điểm cầu ký ngay khi ghi hay không.
   Trong data/<điểm cầu>/<lượt ghi>/, với đoạn 000012:
     grep -o '"box":"[^"]*"' 000012.json                     (thiết bị nào đã ghi)
     openssl dgst -sha256 -verify <gốc>/keys/<thiết bị>.pub.pem -signature 000012.json.sig 000012.json
     sha256sum 000012.ts                                     (phải bằng "sha256" ghi trong 000012.json)
     openssl dgst -sha256 -verify <gốc>/keys/hub.pub.pem -signature 000012.receipt.json.sig 000012.receipt.json

4. Khóa của thiết bị có đúng do trung tâm cấp hay không:
     openssl verify -no_check_time -CAfile keys/ca.pem keys/<thiết bị>.crt.pem
   Đối chiếu dấu của chứng thư gốc và của khóa trung tâm với dấu mà Ban Tiếp công dân công bố:
     openssl x509 -in keys/ca.pem -noout -fingerprint -sha256
     openssl pkey -pubin -in keys/hub.pub.pem -outform DER | sha256sum

5. Các đoạn có đủ và đúng thứ tự hay không: "prev" trong mỗi bản ghi bằng mã SHA-256 của bản ghi liền trước
   (xếp theo "n"; các bản ghi không phải đoạn ghi nằm trong record-*.json). Tệp chain.jsonl giữ toàn bộ chuỗi,
   kèm chữ ký của thiết bị và chữ ký của trung tâm trên từng bản ghi.

Nội dung thư mục:
   data/<điểm cầu>/<lượt ghi>/000012.ts   đoạn ghi gốc, đúng từng byte như thiết bị đã ghi
   000012.json, .json.sig                  bản ghi về đoạn đó và chữ ký của thiết bị
   000012.receipt.json, .sig               giấy biên nhận của trung tâm
   record-000000.json                      "track":"screen" là lượt ghi những gì màn hình của phòng hiện và phát
                                           (hệ thống họp khác); không có, hoặc "room", là máy quay và micrô của phòng
   record-*.json, .sig                     bắt đầu, khoảng trống (kèm nguyên nhân), kết thúc lượt ghi
   viewing/<điểm cầu>.mp4                  bản để xem, ghép từ các đoạn gốc, không phải bản gốc
   viewing/<điểm cầu>-screen.mp4           bản để xem của màn hình, nếu có
   bag-info.txt                            tên buổi tiếp, thời gian, các điểm cầu
`;
